/** Docker's words for an image that is not there. */
import { PhylloError } from '../index.js'

export function imageNotFound(name: string): PhylloError {
  return new PhylloError('IMAGE_NOT_FOUND', `No such image: ${name}`, { reference: name })
}
