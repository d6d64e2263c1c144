/**
 * What a push knows of blobs that are in registries already, and what it adds to that: notes as Docker makes them, with a hash that
 * says whose credentials they were made with, without telling them.
 */
import { createHmac } from 'node:crypto'
import type { BlobNote, BlobNotes } from '../layers/blob-notes.js'
import { type DiffId, type Digest, sha256Digest } from '../oci/digest.js'
import { goJson } from '../oci/go-json.js'
import type { Credential } from '../registry/credential.js'

/** Docker's key: the digest, as text, of its AuthConfig less what is no secret; of `{}` where there are no credentials. */
export function hmacKey(credential: Credential | undefined): string {
  return sha256Digest(goJson(fieldsOf(credential)))
}

/** As Docker's AuthConfig has it; what is empty is left out. */
function fieldsOf(credential: Credential | undefined): Record<string, string> {
  if (credential === undefined) return {}
  if (credential.kind === 'registry') return { registrytoken: credential.token }
  const { username } = credential
  const user = username === '' ? {} : { username }
  if (credential.kind === 'identity') return { ...user, identitytoken: credential.token }
  return { ...user, password: credential.password }
}

export class PushNotes {
  readonly #notes: BlobNotes
  readonly #repository: string
  readonly #key: string
  readonly #writable: boolean

  /** `repository`: canonical, the one that is pushed to. Nothing is written unless `writable`. */
  constructor(notes: BlobNotes, repository: string, credential: Credential | undefined, writable: boolean) {
    this.#notes = notes
    this.#repository = repository
    this.#key = hmacKey(credential)
    this.#writable = writable
  }

  /** The latest last. */
  of(diffId: DiffId): Promise<BlobNote[]> {
    return this.#notes.blobsOf(diffId)
  }

  /** Whether it was made by a push with the same credentials. */
  isOurs(note: BlobNote): boolean {
    return note.hmac === this.#hmac(note)
  }

  /** Whether a push noted it, with whatever credentials: Docker and this one sign what is gzip. */
  isSigned(note: BlobNote): boolean {
    return note.hmac !== ''
  }

  /**
   * The repository has the blob. `signed`: it is gzip, as all are that Docker notes so; what else a blob may be is found out each time
   * that nobody says so.
   */
  async add(diffId: DiffId, digest: Digest, signed: boolean): Promise<void> {
    if (!this.#writable) return
    const note = { digest, sourceRepository: this.#repository }
    await this.#notes.add(diffId, { ...note, hmac: signed ? this.#hmac(note) : '' })
  }

  /** It has it no more. */
  async remove(diffId: DiffId, note: BlobNote): Promise<void> {
    if (this.#writable) await this.#notes.remove(diffId, note)
  }

  #hmac({ digest, sourceRepository }: Pick<BlobNote, 'digest' | 'sourceRepository'>): string {
    return createHmac('sha256', this.#key).update(digest).update(sourceRepository).digest('hex')
  }
}
