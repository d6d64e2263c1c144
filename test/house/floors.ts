/**
 * The one-way flow of the house: an import goes to the same room or to a strictly lower floor, and to floor 0 from
 * everywhere. The tree is drawn in
 * src/README.md; the floors here are the law.
 */
import { posix } from 'node:path'
import { type Import, importsOf, type Source } from './syntax.js'

/** Rooms and top-level files of src/, by floor. One that stands here nowhere is an error. */
const floors: readonly (readonly string[])[] = [
  ['errors.ts', 'limits.ts', 'operation.ts', 'lifetime.ts', 'byte-string.ts', 'either-way.ts', 'endings.ts'],
  ['native', 'oci'],
  ['tar', 'compression', 'disk'],
  ['layerfile', 'unpack'],
  ['pool'],
  ['drivers'],
  ['layers'],
  ['overlay'],
  ['images', 'registry'],
  ['archive', 'distribution', 'containers'],
  ['store-options.ts'],
  ['store-parts.ts'],
  ['store-containers.ts', 'store-images.ts', 'store-distribution.ts', 'check'],
  ['store-upkeep.ts'],
  ['store-registries.ts'],
  ['store.ts'],
  ['index.ts'],
  ['cli'],
]

/** Folders of one room that have a direction, too: each knows those before it. */
const steps: ReadonlyMap<string, readonly (readonly string[])[]> = new Map([
  ['overlay', [['union'], ['walk', 'difference'], ['archive', 'face']]],
])

/** What main and workers say to each other: known from floor 2 up, and itself knowing no more than floor 1. */
const protocol: ReadonlySet<string> = new Set(['src/pool/jobs.ts', 'src/pool/wire.ts'])
const protocolFloor = 1
/** Jobs are built out of floors 0 to 3 and the protocol. */
const workersFloor = 4

/** Packages with one door. */
const doors: ReadonlyMap<string, string> = new Map([
  ['piscina', 'src/pool/pool.ts'],
  ['undici', 'src/registry/connections.ts'],
])

/** Packages that start-up must not pay for: type imports and `await import()` alone, outside of workers/. */
const heavy: ReadonlySet<string> = new Set([
  'koffi',
  'lz4-napi',
  'hash-wasm',
  'tar-stream',
  'piscina',
  'fs-extra',
  'undici',
])

/** Files that may import what is computed at run time: the worker files, which lie wherever the user says. */
const computed: ReadonlySet<string> = new Set(['src/pool/pool.ts'])

/** Every import in src/ and workers/ that goes the wrong way, in words. */
export function wrongWays(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith('src/') || path.startsWith('workers/'))
    .flatMap(source => {
      const homeless = floorOf(source.path) === undefined ? [`${source.path}: has no floor`] : []
      const wrong = importsOf(source).flatMap(one => {
        const reason = wrongWay(source.path, one)
        return reason === undefined ? [] : [`${source.path}:${one.line}: ${reason}`]
      })
      return [...homeless, ...wrong]
    })
}

function wrongWay(from: string, { specifier, kind }: Import): string | undefined {
  if (specifier === undefined) return computed.has(from) ? undefined : 'imports what only run time knows'
  if (!specifier.startsWith('.')) return wrongPackage(from, specifier, kind)
  const to = posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts')
  if (kind === 'url' && !to.endsWith('.ts')) return undefined
  if (kind !== 'url' && !specifier.endsWith('.js')) return `imports ${specifier}, without .js`
  if (to.startsWith('workers/')) return wrongWorker(from, to)
  if (!to.startsWith('src/')) return `imports ${to}, outside of src/ and workers/`
  if (floorOf(to) === undefined) return `imports ${to}, which has no floor`
  if (from.startsWith('src/cli/') && roomOf(to) !== 'cli' && to !== 'src/index.ts')
    return `imports ${to}: the command line knows index.ts alone`
  if (from.startsWith('workers/'))
    return protocol.has(to) || floorOf(to)! < workersFloor ? undefined : `a worker imports ${to}, above floor 3`
  if (protocol.has(from)) {
    return protocol.has(to) || floorOf(to)! <= protocolFloor ? undefined : `the protocol imports ${to}, above floor 1`
  }
  if (roomOf(to) === roomOf(from)) return wrongStep(from, to)
  const target = protocol.has(to) ? protocolFloor : floorOf(to)!
  return target === 0 || target < floorOf(from)!
    ? undefined
    : `imports ${to}: floor ${floorOf(from)} knows nothing of floor ${target}`
}

function wrongStep(from: string, to: string): string | undefined {
  if (folderOf(from) === folderOf(to) || !steps.has(roomOf(from))) return undefined
  return stepOf(to) < stepOf(from) ? undefined : `imports ${to}: ${folderOf(from)}/ knows nothing of ${folderOf(to)}/`
}

/** The pool is the only door to threads, and to their files: it runs them inline, too. */
function wrongWorker(from: string, to: string): string | undefined {
  if (from.startsWith('workers/')) return undefined
  return roomOf(from) === 'pool' && !protocol.has(from) ? undefined : `imports ${to}: jobs are reached through the pool`
}

function wrongPackage(from: string, specifier: string, kind: Import['kind']): string | undefined {
  if (specifier.startsWith('node:')) return undefined
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
  const door = doors.get(name)
  if (door !== undefined && door !== from) return `imports ${name}, which ${door} alone may`
  if (from.startsWith('src/cli/')) return `imports ${name}: the command line knows index.ts alone`
  if (kind === 'static' && heavy.has(name) && from.startsWith('src/'))
    return `imports ${name} at its head: only \`await import('${name}')\` keeps start-up fast`
  return undefined
}

/** `tar` of src/tar/header.ts, `store.ts` of src/store.ts, `workers` of workers/x.ts. */
function roomOf(path: string): string {
  const [top, room] = path.split('/')
  return top === 'src' ? (room ?? '') : (top ?? '')
}

/** `union` of src/overlay/union/errno.ts. */
function folderOf(path: string): string {
  return path.split('/')[2] ?? ''
}

/** A folder without a step knows nobody. */
function stepOf(path: string): number {
  return steps.get(roomOf(path))?.findIndex(folders => folders.includes(folderOf(path))) ?? -1
}

function floorOf(path: string): number | undefined {
  if (path.startsWith('workers/')) return workersFloor
  const floor = floors.findIndex(rooms => rooms.includes(roomOf(path)))
  return floor === -1 ? undefined : floor
}
