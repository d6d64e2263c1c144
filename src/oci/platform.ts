/**
 * Platforms: `os/architecture[/variant]`, their many spellings, and which image of an index a machine wants. Names and
 * order of preference are those of containerd's platforms package, which Docker uses.
 */
import { endianness } from 'node:os'
import { PhylloError } from '../errors.js'
import { quoted } from './quoted.js'

export interface Platform {
  readonly os: string
  readonly architecture: string
  readonly variant?: string
  readonly osVersion?: string
  readonly osFeatures?: readonly string[]
}

const componentGrammar = /^[A-Za-z0-9_.-]{1,64}$/

const operatingSystems = new Set(
  'aix android darwin dragonfly freebsd illumos ios js linux netbsd openbsd plan9 solaris wasip1 windows'.split(' '),
)

const architectures = new Set(
  '386 amd64 arm arm64 loong64 mips mipsle mips64 mips64le ppc64 ppc64le riscv64 s390x sparc64 wasm'.split(' '),
)

/**
 * A platform as users write it: `linux/arm64/v8`, `linux/amd64`, or an os or an architecture alone, the rest of which
 * is the host's. Throws a TypeError for anything else.
 */
export function parsePlatform(text: string, host: Platform = hostPlatform()): Platform {
  const parts = text.split('/')
  if (parts.length > 3 || !parts.every(part => componentGrammar.test(part))) {
    throw new TypeError(`platform ${quoted(text)} is not os/architecture[/variant]`)
  }
  const [os = '', architecture, variant] = parts
  if (architecture !== undefined) return normalizePlatform({ os, architecture, ...(variant && { variant }) })
  const asOs = normalizeOs(os)
  if (operatingSystems.has(asOs)) return { ...host, os: asOs }
  const asArchitecture = normalizePlatform({ os: host.os, architecture: os })
  if (architectures.has(asArchitecture.architecture)) return asArchitecture
  throw new TypeError(`platform ${quoted(text)} is neither an operating system nor an architecture`)
}

/**
 * What Docker on this machine would run: Linux, whatever the host's own system is, for the processor that Node was built
 * for. `armVersion` is Node's build constant of that name.
 */
export function hostPlatform(
  architecture: string = process.arch,
  armVersion: unknown = (process.config.variables as { arm_version?: unknown }).arm_version,
): Platform {
  const little = endianness() === 'LE'
  const names: Readonly<Record<string, string>> = {
    x64: 'amd64',
    ia32: '386',
    ppc64: little ? 'ppc64le' : 'ppc64',
    mips: 'mips',
    mipsel: 'mipsle',
  }
  const variant = architecture === 'arm' ? `v${armVersion ?? 7}` : undefined
  return normalizePlatform({
    os: 'linux',
    architecture: names[architecture] ?? architecture,
    ...(variant && { variant }),
  })
}

/** One spelling for each platform: `aarch64` is `arm64`, its variant `v8` and amd64's `v1` are none, `armhf` is `arm/v7`. */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: given, ...rest } = platform
  let variant = (given ?? '').toLowerCase()
  let architecture = platform.architecture.toLowerCase()
  if (architecture === 'i386') [architecture, variant] = ['386', '']
  else if (/^x86[_-]64$/.test(architecture)) architecture = 'amd64'
  else if (architecture === 'aarch64') architecture = 'arm64'
  else if (architecture === 'armhf') [architecture, variant] = ['arm', 'v7']
  else if (architecture === 'armel') [architecture, variant] = ['arm', 'v6']
  if (architecture === 'amd64' && variant === 'v1') variant = ''
  if (architecture === 'arm64' && /^v?8(\.0)?$/.test(variant)) variant = ''
  if (architecture === 'arm64' && /^[0-9]/.test(variant)) variant = `v${variant}`
  if (architecture === 'arm') variant = variant === '' ? 'v7' : variant.replace(/^(?=[0-9])/, 'v')
  return { ...rest, os: normalizeOs(platform.os), architecture, ...(variant !== '' && { variant }) }
}

function normalizeOs(os: string): string {
  const lower = os.toLowerCase()
  return lower === 'macos' ? 'darwin' : lower
}

/** `linux/arm/v7`, parts verbatim. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}

/** 0 for exactly what is wanted, more for what would do as well, undefined for what would not. */
export function platformRank(wanted: Platform, candidate: Platform): number | undefined {
  const want = normalizePlatform(wanted)
  const have = normalizePlatform(candidate)
  if (want.os !== have.os || !osVersionFits(want, have) || !osFeaturesFit(want, have)) return undefined
  const rank = acceptable(want.architecture, want.variant ?? '').indexOf(`${have.architecture}/${have.variant ?? ''}`)
  return rank === -1 ? undefined : rank
}

export function matchPlatform(wanted: Platform, candidate: Platform): boolean {
  return platformRank(wanted, candidate) !== undefined
}

/** Those that match, best first, equals in their order. An entry without a platform matches, after all others. */
export function platformMatches<D extends { readonly platform?: Platform | undefined }>(
  entries: readonly D[],
  wanted: Platform,
): D[] {
  const ranked = entries.map(entry => ({
    entry,
    rank: entry.platform === undefined ? Number.MAX_SAFE_INTEGER : platformRank(wanted, entry.platform),
  }))
  const matches = ranked.filter((match): match is { entry: D; rank: number } => match.rank !== undefined)
  return matches.sort((a, b) => a.rank - b.rank).map(({ entry }) => entry)
}

/** The best match. Throws PLATFORM_NOT_FOUND with `available`, the platforms that are there. */
export function selectPlatform<D extends { readonly platform?: Platform | undefined }>(
  entries: readonly D[],
  wanted: Platform,
  what = 'index',
): D {
  const [best] = platformMatches(entries, wanted)
  if (best !== undefined) return best
  const all = entries.flatMap(({ platform }) => (platform === undefined ? [] : [formatPlatform(platform)]))
  const available = [...new Set(all)]
  const platform = formatPlatform(wanted)
  const there =
    available.length === 0 ? 'it holds no image' : `it holds ${available.slice(0, 50).map(quoted).join(', ')}`
  throw new PhylloError('PLATFORM_NOT_FOUND', `${what}: no image for ${quoted(platform)}; ${there}`, {
    platform,
    available,
  })
}

/** `architecture/variant` in normal form, in order of preference. */
function acceptable(architecture: string, variant: string): string[] {
  const [major = 0, minor = 0] = variant.slice(1).split('.').map(Number)
  if (architecture === 'amd64') {
    const level = variant === '' ? 1 : major
    if (!(level >= 1 && level <= 9)) return [`amd64/${variant}`, 'amd64/', '386/']
    return [...downTo(level, 2).map(n => `amd64/v${n}`), 'amd64/', '386/']
  }
  if (architecture === 'arm') {
    return major >= 5 && major <= 9 ? downTo(major, 5).map(n => `arm/v${n}`) : [`arm/${variant}`]
  }
  if (architecture === 'arm64') {
    const arm = downTo(8, 5).map(n => `arm/v${n}`)
    if (variant === '') return ['arm64/', ...arm]
    if (!(minor >= 0 && minor <= 20) || (major !== 8 && major !== 9)) return [`arm64/${variant}`, 'arm64/', ...arm]
    // Armv9.n has all that Armv8.(n+5) has.
    const nine =
      major === 9 ? downTo(minor, 0).flatMap(n => (n === 0 ? ['arm64/v9.0', 'arm64/v9'] : [`arm64/v9.${n}`])) : []
    const eight = downTo(major === 9 ? minor + 5 : minor, 1).map(n => `arm64/v8.${n}`)
    return [...nine, ...eight, 'arm64/', ...arm]
  }
  return [`${architecture}/${variant}`]
}

function downTo(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, from - to + 1) }, (_, index) => from - index)
}

/** Windows: the build (the first three numbers) must be the wanted one, if one is wanted. */
function osVersionFits(want: Platform, have: Platform): boolean {
  if (want.os !== 'windows' || !want.osVersion) return true
  const build = (version: string) => version.split('.').slice(0, 3).join('.')
  return build(want.osVersion) === build(have.osVersion ?? '')
}

/** What the image needs must be among what is offered, if that is said at all. */
function osFeaturesFit(want: Platform, have: Platform): boolean {
  const offered = want.osFeatures
  return offered === undefined || (have.osFeatures ?? []).every(feature => offered.includes(feature))
}
