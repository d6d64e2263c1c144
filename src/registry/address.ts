/**
 * Which network addresses somebody else's word may lead to. A realm, a redirect and a name in the DNS are all others'
 * words: without a rule, a registry on the internet could have us ask the metadata service of the machine that we run on.
 */
import { BlockList, isIP } from 'node:net'

/**
 * `public` can be reached by anybody; `private` belongs to this machine or its network; `forbidden` is nowhere that a
 * registry, a token server or its blobs can be: link-local (metadata services), unspecified, multicast.
 */
export type AddressKind = 'public' | 'private' | 'forbidden'

/** A subnet as written: `10.0.0.0/8`, `fd00::/8`, or one address. */
export type Subnet = string

const forbidden = subnets([
  '0.0.0.0/8',
  '169.254.0.0/16',
  '192.0.0.0/24',
  '224.0.0.0/3',
  // Metadata services that stand in ranges which are private otherwise: Alibaba's, and Amazon's for IPv6.
  '100.100.100.200/32',
  'fd00:ec2::/32',
  '::/128',
  'fe80::/10',
  'fec0::/10',
  'ff00::/8',
])

const loopback = subnets(['127.0.0.0/8', '::1/128'])

const confined = subnets([
  '10.0.0.0/8',
  '100.64.0.0/10',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '198.18.0.0/15',
  'fc00::/7',
  // Teredo and 6to4 carry any IPv4 address, and nobody serves a registry there.
  '2001::/32',
  '2002::/16',
])

/** NAT64: the last four bytes are an IPv4 address, which is what is reached. */
const nat64 = subnets(['64:ff9b::/96'])

/** @throws TypeError for what is neither a subnet nor an address */
export function subnets(list: readonly Subnet[]): BlockList {
  const all = new BlockList()
  for (const text of list) {
    const [address = '', bits, ...more] = text.split('/')
    const family = familyOf(address)
    const width = bits === undefined ? (family === 'ipv4' ? 32 : 128) : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (family === undefined || more.length > 0 || width < 0 || width > (family === 'ipv4' ? 32 : 128))
      throw new TypeError(`${JSON.stringify(text)} is not a subnet`)
    all.addSubnet(address, width, family)
  }
  return all
}

/** An IPv4 address within IPv6 (`::ffff:10.0.0.1`) is what it carries. */
export function within(address: string, nets: BlockList): boolean {
  const family = familyOf(address)
  return family !== undefined && nets.check(address, family)
}

export function isLoopback(address: string): boolean {
  return within(address, loopback)
}

export function addressKind(address: string): AddressKind {
  if (within(address, nat64)) return addressKind(lastFourBytes(address))
  if (within(address, forbidden)) return 'forbidden'
  return within(address, loopback) || within(address, confined) ? 'private' : 'public'
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const family = isIP(address)
  return family === 4 ? 'ipv4' : family === 6 && !address.includes('%') ? 'ipv6' : undefined
}

function lastFourBytes(address: string): string {
  // The URL parser writes every IPv6 address in hex groups, `::` for zeros.
  const groups = new URL(`http://[${address}]/`).hostname.slice(1, -1).split(':')
  const [high = 0, low = 0] = groups.slice(-2).map(group => Number.parseInt(group || '0', 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
