/** Where a repository is asked for, in order: its mirrors, then its registry. Data, so that pull alone decides when to go on. */
import { PhylloError, withFacts } from '../errors.js'
import type { Reference } from '../oci/reference.js'
import type { OperationContext } from '../operation.js'
import type { RegistryClient } from '../registry/client.js'
import type { Repository } from '../registry/repository.js'
import { Mirrors } from './mirrors.js'

export interface Endpoint {
  readonly repository: Repository
  /** Of a mirror: its URL, for messages. */
  readonly mirror?: string
  /** Whether after this failure the next endpoint is asked. The last one has no next. */
  continues(error: unknown): boolean
}

/** At least one; the registry itself is the last. */
export function endpointsOf(
  reference: Reference,
  client: RegistryClient,
  mirrors: Mirrors = new Mirrors(),
): readonly Endpoint[] {
  const through = mirrors.of(reference.domain).map(({ url, continues }) => ({
    repository: client.repository(reference, { mirror: url }),
    mirror: url,
    continues,
  }))
  return [...through, { repository: client.repository(reference), continues: () => false }]
}

/**
 * What the first endpoint gives that does not fail, or fails with what is nobody's fault. Each mirror that is passed over
 * is told by a warning. @throws what the last one failed with; `mirrors` is what those before it did
 */
export async function fromFirst<T>(
  endpoints: readonly Endpoint[],
  work: (endpoint: Endpoint) => Promise<T>,
  { signal, emit }: Pick<OperationContext, 'signal' | 'emit'>,
): Promise<T> {
  const failures: string[] = []
  for (const endpoint of endpoints) {
    try {
      return await work(endpoint)
    } catch (error) {
      signal.throwIfAborted()
      const { mirror } = endpoint
      if (mirror === undefined || !endpoint.continues(error)) throw told(error, mirror, failures)
      const message = failureOf(mirror, error)
      failures.push(message)
      emit({ type: 'warning', subject: mirror, message: `mirror ${message}` })
    }
  }
  throw new TypeError('a plan without an endpoint')
}

function told(error: unknown, mirror: string | undefined, failures: readonly string[]): unknown {
  const facts = { ...(mirror !== undefined && { mirror }), ...(failures.length > 0 && { mirrors: failures }) }
  return withFacts(error, facts)
}

function failureOf(mirror: string, error: unknown): string {
  const { message } = error as Error
  return `${mirror}: ${error instanceof PhylloError ? `${error.code}: ` : ''}${message}`
}
