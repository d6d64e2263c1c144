/**
 * The inputs, in a cache outside of the repository: $PHYLLO_BENCH_CACHE, else phyllo-corpus in the system's folder for
 * temporary files that outlive a restart. What is there is taken as it is; what is missing is made.
 */
import { existsSync } from 'node:fs'
import { mkdir, open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { lookupCounts } from './targets.js'

type Make = (path: string, needed: (name: InputName) => string) => Promise<void> | void

interface Recipe {
  readonly file: string
  readonly what: string
  readonly needs?: readonly InputName[]
  /** Whether its size goes with PHYLLO_BENCH_SCALE. */
  readonly scales?: boolean
  readonly make: Make
}

const real = () => import('./real-inputs.js')
const made = () => import('./made-inputs.js')

const recipes = {
  base: {
    file: 'base.tar',
    what: 'a Debian root file system, one plain tar',
    make: async path => (await real()).writeBase(path),
  },
  small: {
    file: 'small.tar',
    what: 'docker-archive of small:v1: every kind of entry',
    needs: ['base'],
    make: async (path, needed) => (await real()).writeSmall(path, needed('base')),
  },
  app: {
    file: 'app.tar',
    what: 'docker-archive of app:v1: 7 layers, about 1.1 GB, as a real dockerd saves it',
    needs: ['base'],
    make: async (path, needed) => (await real()).writeApp(path, needed('base')),
  },
  appOci: {
    file: 'app-oci.tar',
    what: 'the same as an OCI archive with gzip layers, by skopeo',
    needs: ['app'],
    make: async (path, needed) => (await real()).writeAppOci(path, needed('app')),
  },
  layer1g: {
    file: 'layer-1g.tar',
    what: 'docker-archive of one layer of 1 GiB: many files',
    needs: ['base'],
    scales: true,
    make: async (path, needed) => (await made()).writeLayer1g(path, needed('base')),
  },
  file1g: {
    file: 'file-1g.tar',
    what: 'docker-archive of one layer with one file of 1 GiB',
    needs: ['base'],
    scales: true,
    make: async (path, needed) => (await made()).writeFile1g(path, needed('base')),
  },
  random8g: {
    file: 'random-8g.tar',
    what: 'docker-archive of one layer of 8 GiB that does not compress',
    scales: true,
    make: async path => (await made()).writeRandom8g(path),
  },
  million: {
    file: 'million.tar',
    what: 'docker-archive of one layer of 1,000,000 entries',
    scales: true,
    make: async path => (await made()).writeMillion(path),
  },
  wide: {
    file: 'wide.tar',
    what: 'docker-archive of 10 layers: large directories, in one of them and all over them',
    make: async path => (await made()).writeWide(path),
  },
  lookup1: lookup(1),
  lookup10: lookup(10),
  lookup25: lookup(25),
  lookup100: lookup(100),
  lookup125: lookup(125),
} as const satisfies Record<string, Recipe>

export type InputName =
  | 'base'
  | 'small'
  | 'app'
  | 'appOci'
  | 'layer1g'
  | 'file1g'
  | 'random8g'
  | 'million'
  | 'wide'
  | LookupName
type LookupName = `lookup${(typeof lookupCounts)[number]}`

function lookup(layers: number): Recipe {
  return {
    file: `lookup-${layers}.tar`,
    what: `docker-archive of 24,000 files in ${layers} layers`,
    needs: ['app'],
    make: async (path, needed) => (await made()).writeLookup(path, needed('app'), layers),
  }
}

export function cacheFolder(): string {
  const lasting = process.platform === 'linux' ? '/var/tmp' : tmpdir()
  return process.env.PHYLLO_BENCH_CACHE ?? join(lasting, 'phyllo-corpus')
}

export async function pathOf(name: InputName): Promise<string> {
  const { file, scales = false }: Recipe = recipes[name]
  const { scale } = await made()
  return join(cacheFolder(), scales && scale !== 1 ? file.replace(/\.tar$/, `-scaled-${scale}.tar`) : file)
}

/** Makes what is missing, and says so; answers with the paths. */
export async function provide(
  names: readonly InputName[],
  say: (line: string) => void,
): Promise<ReadonlyMap<InputName, string>> {
  await mkdir(cacheFolder(), { recursive: true })
  const paths = new Map<InputName, string>()
  const one = async (name: InputName): Promise<void> => {
    const { what, needs = [], make }: Recipe = recipes[name]
    const path = await pathOf(name)
    if (!existsSync(path)) {
      for (const need of needs) await one(need)
      const start = performance.now()
      say(`making ${path}: ${what}`)
      await make(path, need => paths.get(need)!)
      say(`  done in ${((performance.now() - start) / 1000).toFixed(0)} s`)
    }
    paths.set(name, path)
  }
  for (const name of names) await one(name)
  return paths
}

/** Reads a file once, or its first part, so that it is in the page cache for whoever reads it next. */
export async function warm(path: string, bytesMax: number): Promise<void> {
  const file = await open(path)
  try {
    const buffer = Buffer.allocUnsafe(1 << 20)
    for (let at = 0; at < bytesMax; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at)
      if (bytesRead === 0) return
      at += bytesRead
    }
  } finally {
    await file.close()
  }
}
