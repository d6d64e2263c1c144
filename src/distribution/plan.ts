/** Where a repository is asked for, in order: its mirrors, then its registry. Data, so that pull alone decides when to go on. */
import type { Reference } from '../oci/reference.js'
import type { RegistryClient } from '../registry/client.js'
import type { Repository } from '../registry/repository.js'

export interface Endpoint {
  readonly repository: Repository
  /** Of a mirror: its URL, for messages. */
  readonly mirror?: string
  /** Whether after this failure the next endpoint is asked. The last one has no next. */
  continues(error: unknown): boolean
}

/** At least one; the registry itself is the last. */
export function endpointsOf(reference: Reference, client: RegistryClient): readonly Endpoint[] {
  return [{ repository: client.repository(reference), continues: () => false }]
}
