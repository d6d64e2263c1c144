/** Ports as EXPOSE takes them: `[[ip:]host:]port[-port][/protocol]`. What is published on the host does not concern an image. */

const protocols = new Set(['tcp', 'udp', 'sctp'])

/** `80/tcp`, … Throws an Error that says what is wrong. */
export function exposedPorts(specs: readonly string[]): string[] {
  return specs.flatMap(portsOf)
}

function portsOf(spec: string): string[] {
  const slash = spec.lastIndexOf('/')
  const ports = slash < 0 ? spec : spec.slice(0, slash)
  const protocol = (slash < 0 ? 'tcp' : spec.slice(slash + 1) || 'tcp').toLowerCase()
  const parts = ports.split(':')
  const container = parts.at(-1)!
  if (container === '') throw new Error(`No port specified: ${spec}<empty>`)
  const range = rangeOf(container)
  if (range === undefined) throw new Error(`Invalid containerPort: ${container}`)
  const host = parts.length > 1 ? parts.at(-2)! : ''
  const hostRange = host === '' ? undefined : rangeOf(host)
  if (host !== '' && hostRange === undefined) throw new Error(`Invalid hostPort: ${host}`)
  const [first, last] = range
  if (hostRange !== undefined && hostRange[1] - hostRange[0] !== last - first && first !== last)
    throw new Error(`Invalid ranges specified for container and host Ports: ${container} and ${host}`)
  if (!protocols.has(protocol)) throw new Error(`Invalid proto: ${protocol}`)
  return Array.from({ length: last - first + 1 }, (_, at) => `${first + at}/${protocol}`)
}

function rangeOf(text: string): readonly [first: number, last: number] | undefined {
  const [, from, to = from] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  if (from === undefined) return undefined
  const [first, last] = [Number(from), Number(to)]
  return first <= last && last <= 65_535 ? [first, last] : undefined
}
