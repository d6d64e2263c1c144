/**
 * What a failed call on a tree that is being written comes to. A file system that folds cases, or forms of Unicode, takes two
 * names of the image for one: that is told with both names.
 */
import { readdirSync } from 'node:fs'
import { type ByteString, byteString, printable, toText } from '../byte-string.js'
import { callError, isErrno, PhylloError } from '../errors.js'

/** What was being made: its path in the image, without a slash before it, and where that is here. */
export interface Made {
  readonly path: ByteString
  readonly folder: string | Buffer
}

/** OUTPUT_IO, or NAME_COLLISION. The path in the image is `member`. */
export function treeError(operation: string, made: Made, cause: unknown): PhylloError {
  const other = isErrno(cause, 'EEXIST') ? sameNameHere(made) : undefined
  const member = shown(made.path)
  if (other !== undefined) {
    const names = [shown(other), member].sort()
    const reason = `${names.join(' and ')} are one name to the file system`
    return new PhylloError('NAME_COLLISION', reason, { member, names, cause })
  }
  const { message = String(cause) } = cause as NodeJS.ErrnoException
  // Without the path behind it, which is the one that it has for the moment
  const reason = message.split(', ')[0]!
  return callError('OUTPUT_IO', cause, { operation, member, said: `${operation} ${member}`, reason })
}

const shown = (path: ByteString) => printable(`/${path}`)

/** The path of what stands there under a name that differs from ours and means the same. */
function sameNameHere({ path, folder }: Made): ByteString | undefined {
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1) as ByteString
  const there = readdirSync(folder, { encoding: 'buffer' }).map(bytes => byteString(bytes))
  const other = there.find(found => found !== name && folded(found) === folded(name))
  return other === undefined ? undefined : (`${path.slice(0, slash + 1)}${other}` as ByteString)
}

function folded(name: ByteString): string {
  return toText(name).normalize('NFKC').toUpperCase().toLowerCase()
}
