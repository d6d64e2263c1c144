/** TO BE WRITTEN. */
import type { CopiedImage } from '../images/copy.js'
import type { OperationContext } from '../operation.js'

export interface PullOptions {
  readonly signal?: AbortSignal
  /** `os/architecture[/variant]`, to choose from an index. Default: the host's. */
  readonly platform?: string
}

export async function pullImage(
  _reference: string,
  _options: PullOptions,
  _parts: unknown,
  _op: OperationContext,
): Promise<CopiedImage> {
  throw new Error('to be written')
}
