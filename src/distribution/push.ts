/** TO BE WRITTEN. */
import type { Digest } from '../oci/digest.js'
import type { OperationContext } from '../operation.js'

export interface PushOptions {
  readonly signal?: AbortSignal
}

export interface Pushed {
  /** Of the manifest. */
  readonly digest: Digest
  /** Of the manifest. */
  readonly sizeBytes: number
}

export async function pushImage(
  _reference: string,
  _options: PushOptions,
  _parts: unknown,
  _op: OperationContext,
): Promise<Pushed> {
  throw new Error('to be written')
}
