/** The sources that openArchive gives: which layout an archive has, and the life of what it is read through. */
import { PhylloError } from '../errors.js'
import type { ArrivingRange, ImageSource, SourceImage } from '../images/source.js'
import type { Limits } from '../limits.js'
import type { Platform } from '../oci/platform.js'
import type { ArrivingArchive } from './arriving-archive.js'
import type { ArchiveContent } from './content.js'
import { dockerImages, dockerManifestMember } from './docker-archive.js'
import type { InputStream } from './input-stream.js'
import { indexMember, layoutMember } from './layout-names.js'
import { OciLayout } from './oci-layout.js'

/** How images are read from an archive. */
export interface Reading {
  readonly limits: Limits
  /** The platform that was asked for. */
  readonly platform: Platform | undefined
  /** A directory is an OCI layout; whether it was once a docker-archive means nothing. */
  readonly layoutOnly: boolean
}

async function imagesOf(content: ArchiveContent, { limits, platform, layoutOnly }: Reading): Promise<SourceImage[]> {
  if (!layoutOnly && (await content.has(dockerManifestMember))) return await dockerImages(content, limits, platform)
  if ((await content.has(indexMember)) || (await content.has(layoutMember)))
    return await new OciLayout(content, limits).images(platform)
  const sample = (await content.sample()).map(member => member || '.')
  const there = sample.length === 0 ? 'it is empty' : `it begins with ${sample.join(', ')}`
  const old = (await content.has('repositories'))
    ? '; an archive of Docker before 1.10 is not read: load and save it there'
    : ''
  const names = layoutOnly ? indexMember : `${dockerManifestMember} nor ${indexMember}`
  const neither = layoutOnly ? 'no' : 'neither'
  throw new PhylloError(
    'ARCHIVE_INVALID',
    `${content.name}: holds no image: ${neither} ${names} is there; ${there}${old}`,
  )
}

/** An archive or a directory that can be read anywhere. Owns its content. */
export class ArchiveSource implements ImageSource {
  readonly #content: ArchiveContent
  readonly #reading: Reading
  #images: Promise<readonly SourceImage[]> | undefined

  constructor(content: ArchiveContent, reading: Reading) {
    this.#content = content
    this.#reading = reading
  }

  get name(): string {
    return this.#content.name
  }

  images(): Promise<readonly SourceImage[]> {
    return (this.#images ??= imagesOf(this.#content, this.#reading))
  }

  bytesRead(): number {
    return this.#content.bytesRead()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#content[Symbol.asyncDispose]()
  }
}

/** An archive that is on its way. */
export class StreamSource implements ImageSource {
  readonly name: string
  readonly #input: InputStream
  readonly #archive: ArrivingArchive
  readonly #reading: Reading
  readonly #release: () => void
  #images: Promise<readonly SourceImage[]> | undefined

  /** `release` is called at disposal: what the one who opened it has to undo. */
  constructor(name: string, input: InputStream, archive: ArrivingArchive, reading: Reading, release: () => void) {
    this.name = name
    this.#input = input
    this.#archive = archive
    this.#reading = reading
    this.#release = release
  }

  arriving(): AsyncIterable<ArrivingRange> {
    return this.#archive.arriving()
  }

  images(): Promise<readonly SourceImage[]> {
    return (this.#images ??= this.#read())
  }

  bytesRead(): number {
    return this.#input.bytesRead
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#release()
    this.#input.stop(new PhylloError('INPUT_IO', `${this.name}: the source was closed before the stream had ended`))
    await this.#archive.settled()
  }

  async #read(): Promise<readonly SourceImage[]> {
    const content = await this.#archive.content()
    try {
      return await imagesOf(content, this.#reading)
    } finally {
      await content[Symbol.asyncDispose]()
    }
  }
}
