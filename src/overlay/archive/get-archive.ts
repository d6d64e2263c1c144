/**
 * A file or directory of a union as a tar: Docker's `GET /containers/ID/archive`, what `docker cp CONTAINER:PATH -` prints. Names
 * begin with the last name of the path; with `.` for a path that ends in it, and with nothing for the root.
 */
import type { Readable } from 'node:stream'
import type { ByteString } from '../../byte-string.js'
import { exportStream } from '../difference/export-tar.js'
import { pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import type { Place } from '../union/resolve.js'
import type { Union } from '../union/union.js'

/**
 * A symlink at the end of the path is not followed, unless there is a slash behind it. Throws errno errors at once for what is not
 * there; a container that is closed meanwhile is STORE_CLOSED on the stream.
 */
export function archiveStream(union: Union, path: unknown, warn: (path: string, reason: string) => void): Readable {
  union.assertOpen()
  const argument = pathArgument(path)
  const dentry = union.at(argument, false, 'getArchive')
  const place = union.locate(argument) as Place<Dentry>
  return exportStream(union, { warn, top: { dentry, name: nameOf(place, dentry) } })
}

function nameOf({ last, name }: Place<Dentry>, dentry: Dentry): ByteString {
  if (last === 'name') return name
  return last === 'dot' ? ('.' as ByteString) : dentry.name
}
