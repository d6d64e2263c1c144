/** What whoever goes on using a closed upper is told. */
import { PhylloError } from '../../errors.js'

export function closedError(directory: string): PhylloError {
  return new PhylloError('STORE_CLOSED', `${directory}: the container was closed`, { path: directory })
}
