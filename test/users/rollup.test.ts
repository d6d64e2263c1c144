/**
 * rollup, given the promises of a container as its `fs` and nothing else, while the host's files are locked: it bundles and writes
 * what it writes in a plain directory, byte for byte.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { compileFunction } from 'node:vm'
import type { Plugin, RollupFsModule } from 'rollup'
import { locked } from '../build/host-fs.js'
import { directoryOf, type Files, layerOf, storeWithImage } from '../build/users.js'

// After host-fs: it keeps the functions that it finds when it is loaded
const { rollup } = await import('rollup')

const project: Files = {
  'src/main.js': `import text from './text.txt'
import { one } from './lib/one'
import { two } from '../linked/two'
export default () => [text, one, two, import('./later.js')]
`,
  'src/later.js': "import { one } from './lib/one.js'\nexport const later = one + 1\n",
  'src/lib/one.js': 'export const one = 1\nexport const unused = 2\n',
  'src/text.txt': 'a text',
  'packages/two.mjs': 'export const two = 2\n',
  linked: { link: 'packages' },
}

/** Texts as modules, and every input beside the output: by the `fs` that rollup gives to its plugins. */
const texts: Plugin = {
  name: 'texts',
  async load(id) {
    if (!id.endsWith('.txt')) return null
    this.emitFile({ type: 'asset', name: 'text.txt', source: await this.fs.readFile(id) })
    return `export default ${JSON.stringify(await this.fs.readFile(id, { encoding: 'utf8' }))}`
  },
  async resolveId(source, importer) {
    if (!source.startsWith('../') || importer === undefined) return null
    const folder = await this.fs.realpath(join(dirname(importer), dirname(source)))
    const entries = await this.fs.readdir(folder, { withFileTypes: true })
    const found = entries.find(entry => entry.isFile() && entry.name.startsWith(`${source.split('/').at(-1)}.`))
    return found === undefined ? null : join(folder, found.name)
  },
}

/** Its types refuse the promises of node:fs, too, for what mkdir gives. */
const forRollup = (promises: typeof fs.promises) => promises as unknown as RollupFsModule

async function bundle(root: string, promises: typeof fs.promises, input = 'src/main.js'): Promise<string[]> {
  const warnings: string[] = []
  const built = await rollup({
    input: `${root}/${input}`,
    fs: forRollup(promises),
    plugins: [texts],
    onwarn: ({ message }) => void warnings.push(message),
  })
  await built.write({ dir: `${root}/out`, format: 'es', sourcemap: true })
  await built.write({
    file: `${root}/out/deep/er/main.cjs`,
    format: 'cjs',
    inlineDynamicImports: true,
    exports: 'auto',
  })
  await built.close()
  return [...warnings, ...built.watchFiles.map(path => path.slice(root.length)).sort()]
}

type Result = [string, number, number, Promise<{ readonly later: number }>]

/** What the default export of a module gives. */
function run(code: string): Result {
  const module: { exports: () => Result } = { exports: () => assert.fail() }
  compileFunction(code, ['module', 'exports'])(module, module.exports)
  return module.exports()
}

test('a bundle is read and written inside of a container', async t => {
  const root = directoryOf(t, project)
  const there = await bundle(root, fs.promises)
  const store = await storeWithImage(t, [layerOf(project)])
  const box = await store.create('image:v1')
  const here = await locked(store.root, () => bundle('/app', box.promises))
  assert.deepEqual(here, there)
  const written = fs.readdirSync(`${root}/out`, { recursive: true, encoding: 'utf8' }).sort()
  assert.deepEqual(box.readdirSync('/app/out', { recursive: true, encoding: 'utf8' }).sort(), written)
  for (const name of written.filter(name => name.includes('.')))
    assert.equal(box.readFileSync(`/app/out/${name}`, 'utf8'), fs.readFileSync(`${root}/out/${name}`, 'utf8'), name)
  const [text, one, two, later] = run(box.readFileSync('/app/out/deep/er/main.cjs', 'utf8'))
  assert.deepEqual([text, one, two, (await later).later], ['a text', 1, 2, 2])
})

test('what is not in the container is not found, though the host has it', async t => {
  const root = directoryOf(t, project)
  const store = await storeWithImage(t, [layerOf(project)])
  const box = await store.create('image:v1')
  await locked(store.root, async () => {
    await assert.rejects(bundle(root, box.promises), { code: 'UNRESOLVED_ENTRY' })
    await box.promises.rename('/app/src/lib/one.js', '/app/src/lib/ONE.js')
    await assert.rejects(bundle('/app', box.promises), { code: 'UNRESOLVED_IMPORT' })
  })
})

test('it bundles out of a view, and cannot write there', async t => {
  const store = await storeWithImage(t, [layerOf(project)])
  const view = await store.view('image:v1')
  await locked(store.root, async () => {
    const built = await rollup({ input: '/app/src/lib/one.js', fs: forRollup(view.promises) })
    const { output } = await built.generate({ format: 'es' })
    assert.ok(output[0].code.includes('const one = 1'))
    await assert.rejects(built.write({ dir: '/app/out' }), { code: 'EROFS' })
  })
})
