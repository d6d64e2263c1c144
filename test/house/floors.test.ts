/** Imports go to the same room or to a strictly lower floor. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { repoRoot } from '../build/repo.js'
import { wrongWays } from './floors.js'
import { type Source, withSources } from './syntax.js'

test('every import in src/ and workers/ goes the right way', () => {
  assert.deepEqual(withSources(repoRoot, wrongWays), [])
})

const wrong: readonly (readonly [name: string, path: string, text: string, reason: RegExp])[] = [
  ['up', 'src/tar/a.ts', `import { x } from '../layers/b.js'`, /floor 2 knows nothing of floor 6/],
  ['up, types alone', 'src/tar/a.ts', `import type { X } from '../layers/b.js'`, /knows nothing/],
  ['up, a type in place', 'src/tar/a.ts', `export type X = import('../layers/b.js').X`, /knows nothing/],
  ['up, re-exported', 'src/tar/a.ts', `export * from '../layers/b.js'`, /knows nothing/],
  ['up, dynamically', 'src/tar/a.ts', `export const x = () => import('../layers/b.js')`, /knows nothing/],
  ['up, by URL', 'src/tar/a.ts', `export const x = () => new URL('../layers/b.js', import.meta.url)`, /knows nothing/],
  ['up, for its effects', 'src/tar/a.ts', `import '../layers/b.js'`, /knows nothing/],
  ['across a floor', 'src/tar/a.ts', `import '../disk/b.js'`, /floor 2 knows nothing of floor 2/],
  ['from the ground', 'src/errors.ts', `import './limits.js'\nimport './oci/b.js'`, /knows nothing of floor 1/],
  ['up, within a room', 'src/overlay/union/a.ts', `import '../face/b.js'`, /union\/ knows nothing of face\//],
  [
    'across, within a room',
    'src/overlay/walk/a.ts',
    `import '../difference/b.js'`,
    /walk\/ knows nothing of difference\//,
  ],
  ['from a folder without a step', 'src/overlay/extra/a.ts', `import '../union/b.js'`, /extra\/ knows nothing/],
  ['a room without a floor', 'src/utilities/a.ts', 'export {}', /has no floor/],
  ['a file without a floor', 'src/extra.ts', 'export {}', /has no floor/],
  ['to a room without a floor', 'src/store.ts', `import './extra/b.js'`, /has no floor/],
  ['computed', 'src/store.ts', 'export const x = (y: string) => import(y)', /only run time knows/],
  [
    'required',
    'src/tar/a.ts',
    `declare const require: (x: string) => object\nrequire('../layers/b.js')`,
    /knows nothing/,
  ],
  ['without .js', 'src/tar/a.ts', `import './b'`, /without \.js/],
  ['outside', 'src/tar/a.ts', `import '../../test/b.js'`, /outside of src/],
  ['pool from below', 'src/layerfile/a.ts', `import '../pool/pool.js'`, /floor 3 knows nothing of floor 4/],
  [
    'protocol from floor 1',
    'src/oci/a.ts',
    `import type {} from '../pool/jobs.js'`,
    /floor 1 knows nothing of floor 1/,
  ],
  ['out of the protocol', 'src/pool/jobs.ts', `import '../tar/b.js'`, /the protocol imports/],
  ['out of the protocol into its room', 'src/pool/wire.ts', `import './pool.js'`, /the protocol imports/],
  ['a worker up', 'workers/a.ts', `import '../src/drivers/b.js'`, /a worker imports/],
  ['a worker to the pool', 'workers/a.ts', `import '../src/pool/pool.js'`, /a worker imports/],
  ['past the pool', 'src/layers/a.ts', `export const x = () => import('../../workers/b.js')`, /through the pool/],
  ['the command line past index.ts', 'src/cli/a.ts', `import '../errors.js'`, /index\.ts alone/],
  ['the command line to a package', 'src/cli/a.ts', `import 'fs-extra'`, /index\.ts alone/],
  ['piscina', 'src/layers/a.ts', `import type { Piscina } from 'piscina'`, /src\/pool\/pool\.ts alone/],
  ['piscina in a worker', 'workers/a.ts', `import 'piscina'`, /src\/pool\/pool\.ts alone/],
  ['a heavy package at the head', 'src/native/a.ts', `import koffi from 'koffi'`, /keeps start-up fast/],
]

const right: Readonly<Record<string, string>> = {
  'src/tar/a.ts': `import './b.js'\nimport '../oci/c.js'\nimport type {} from '../pool/jobs.js'\nimport 'node:fs'`,
  'src/pool/wire.ts': `import './jobs.js'\nimport '../errors.js'\nimport '../oci/c.js'`,
  'src/pool/pool.ts': `import './wire.js'
    export const all = (x: string) => [import('piscina'), import(x), import('../../workers/a.js')]
    export const url = new URL('../../workers/', import.meta.url)`,
  'workers/a.ts': `import '../src/layerfile/a.js'\nimport '../src/pool/wire.js'\nimport './b.js'\nimport 'fs-extra'`,
  'src/cli/a.ts': `import './b.js'\nimport '../index.js'\nimport 'node:fs'
    export const x = 'import(../errors.js)' // import '../errors.js'`,
  'src/native/a.ts': `import type K from 'koffi'\nexport const x = () => import('koffi')`,
  'src/limits.ts': `import './errors.js'`,
  'src/store.ts': `import './archive/a.js'\nimport './errors.js'`,
}

/** One small house a row, parsed at once: each stands in a folder of its own. */
function houses(all: readonly Readonly<Record<string, string>>[]): readonly Source[][] {
  const dir = mkdtempSync(join(tmpdir(), 'phyllo-floors-'))
  try {
    writeFileSync(join(dir, 'tsconfig.json'), '{ "compilerOptions": { "types": [] } }')
    for (const [i, files] of all.entries())
      for (const [path, text] of Object.entries(files)) {
        const file = join(dir, `${i}`, path)
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, text)
      }
    const parsed = withSources(dir, sources => sources)
    return all.map((_, i) =>
      parsed.flatMap(({ path, tree }) =>
        path.startsWith(`${i}/`) ? [{ path: path.slice(`${i}/`.length), tree }] : [],
      ),
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
}

const [allowed, ...refused] = houses([right, ...wrong.map(([, path, text]) => ({ [path]: text }))])

for (const [i, [name, path, , reason]] of wrong.entries())
  test(`refused: ${name}`, () => {
    const found = wrongWays(refused[i]!)
    assert.equal(found.length, 1, found.join('\n'))
    assert.match(found[0]!, reason)
    assert.ok(found[0]!.startsWith(path))
  })

test('allowed: down, within a room, the protocol, a worker, index.ts', () => {
  assert.equal(allowed!.length, Object.keys(right).length)
  assert.deepEqual(wrongWays(allowed!), [])
})
