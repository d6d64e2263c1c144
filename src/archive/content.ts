/** What sources read an archive or a layout directory through: members by name, whatever they stand in. */
import { PhylloError } from '../errors.js'
import { type Limits, limitError } from '../limits.js'
import type { ByteRange } from '../pool/jobs.js'

export interface ArchiveContent extends AsyncDisposable {
  /** Of the file, directory or stream, for messages. */
  readonly name: string
  /** Whether there is such a member; opens nothing. */
  has(member: string): Promise<boolean>
  /** All bytes of a metadata document; undefined if it is not there. Throws LIMIT_EXCEEDED over `limits.jsonBytes`. */
  read(member: string): Promise<Buffer | undefined>
  /** Where the bytes of a member stand; one object per member, however often it is asked for. */
  range(member: string): Promise<ByteRange | undefined>
  /** Some names that are there, for the message of an archive that holds no image. */
  sample(): Promise<readonly string[]>
  /** Bytes that this object itself took from the input, compressed as they were. */
  bytesRead(): number
}

/** The document, or an error that names the file and the member. */
export async function readNeeded(content: ArchiveContent, member: string, why: string): Promise<Buffer> {
  const bytes = await content.read(member)
  if (bytes !== undefined) return bytes
  throw new PhylloError('ARCHIVE_INVALID', `${content.name}: ${member}: is not there, and ${why}`, { member })
}

/** Throws LIMIT_EXCEEDED for a metadata document that is too large to be read into memory. */
export function checkDocumentSize(sizeBytes: number, limits: Limits, what: string): void {
  if (sizeBytes > limits.jsonBytes) throw limitError('jsonBytes', limits.jsonBytes, sizeBytes, what)
}
