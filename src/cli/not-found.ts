/** Docker's words for an image that is not there. */
import { PhylloError } from '../index.js'

/** With the tag that was meant, as the daemon says it where it looked for a reference. */
export function referenceNotFound(name: string): PhylloError {
  const tagged = /[:@][^/]*$/.test(name) || /^[0-9a-f]{64}$/.test(name)
  return imageNotFound(tagged ? name : `${name}:latest`)
}

export function imageNotFound(name: string): PhylloError {
  return new PhylloError('IMAGE_NOT_FOUND', `No such image: ${name}`, { reference: name })
}
