/**
 * Names to addresses, with a say about the addresses: what a name resolves to is looked at in the very lookup that the
 * connection is made with, so that a second answer cannot lead elsewhere (DNS rebinding).
 */
import type { LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { PhylloError } from '../errors.js'
import { quoted } from '../oci/quoted.js'

/** As node:dns's `lookup`. */
export type Lookup = LookupFunction

export function addressesOf(name: string, lookup: Lookup): Promise<string[]> {
  return new Promise((resolve, reject) =>
    lookup(name, { all: true }, (error, found, family) =>
      error ? reject(error) : resolve(listed(found, family).map(({ address }) => address)),
    ),
  )
}

/** The same lookup, with only those addresses that are allowed. None left is REGISTRY_REDIRECT. */
export function guardedLookup(lookup: Lookup, allows: (address: string) => boolean): Lookup {
  return (name, options, callback) =>
    lookup(name, { ...options, all: true }, (error, found, family) => {
      if (error) return callback(error, [])
      const all = listed(found, family)
      const [first, ...rest] = all.filter(({ address }) => allows(address))
      if (first === undefined) return callback(refused(name, all), [])
      return options.all ? callback(null, [first, ...rest]) : callback(null, first.address, first.family)
    })
}

function refused(name: string, all: readonly LookupAddress[]): PhylloError {
  const addresses = all.map(({ address }) => address)
  const reason = `${quoted(name)} leads to ${addresses.join(', ')}, which it may not`
  return new PhylloError('REGISTRY_REDIRECT', reason, { host: name, addresses })
}

function listed(found: string | readonly LookupAddress[], family: number | undefined): readonly LookupAddress[] {
  return typeof found === 'string' ? [{ address: found, family: family ?? 4 }] : found
}
