/** GNU long names: the body of an `L` or `K` header. GNU tar manual, "Basic Tar Format". */
import { type ByteString, byteString } from '../byte-string.js'
import { PhylloError } from '../errors.js'

/** The name ends at the first NUL, or with the body; what is behind a NUL must be NUL. Throws TAR_INVALID. */
export function parseLongName(body: Buffer): ByteString {
  const nul = body.indexOf(0)
  const end = nul === -1 ? body.length : nul
  if (end === 0) throw new PhylloError('TAR_INVALID', 'a GNU long name is empty')
  for (let i = end; i < body.length; i++)
    if (body[i] !== 0) throw new PhylloError('TAR_INVALID', 'a GNU long name goes on behind its NUL')
  return byteString(body, 0, end)
}
