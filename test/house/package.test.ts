/**
 * The package as its users get it: packed, installed from the tarball without install scripts, run on this Node and on
 * the newest, bundled, type-checked. Needs the npm registry.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { appArchive, motd, osRelease } from '../build/app-archive.js'
import { compiledRoot, repoRoot } from '../build/repo.js'

const dir = mkdtempSync(join(tmpdir(), 'phyllo-package-'))
const stage = join(dir, 'stage')
const consumer = join(dir, 'consumer')
const tools = join(repoRoot, 'node_modules')
const description = JSON.parse(readFileSync(join(repoRoot, 'package.json'), 'utf8'))

/** Packages that a bundle leaves alone: they find files of their own by path. */
const external = ['piscina', 'lz4-napi', 'koffi']

before(async () => {
  mkdirSync(join(stage, 'dist'), { recursive: true })
  mkdirSync(consumer)
  for (const name of ['src', 'workers'])
    cpSync(join(compiledRoot, name), join(stage, 'dist', name), { recursive: true })
  for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'native-notes.md', 'docs'])
    if (existsSync(join(repoRoot, name))) cpSync(join(repoRoot, name), join(stage, name), { recursive: true })
  await execute('sh', ['-c', description.scripts.bundle], stage)
  await npm(['pack', '--pack-destination', dir], stage)
  writeFileSync(join(consumer, '.npmrc'), 'ignore-scripts=true\n')
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "type": "module", "private": true }')
  const types = `@types/node@${description.devDependencies['@types/node']}`
  await npm(['install', '--no-audit', '--no-fund', '--prefer-offline', tarball(), types], consumer)
  writeFileSync(join(consumer, 'app.tar'), appArchive())
  writeFileSync(join(consumer, 'example.js'), firstExample())
})
after(() => rmSync(dir, { recursive: true, force: true }))

test('it has no script that runs where it is installed', () => {
  const hooks = Object.keys(description.scripts).filter(name => /^(pre|post)|install|prepare|^prepublish/.test(name))
  assert.deepEqual(hooks, [])
})

test('the tarball holds the built sources, the workers and the documents, and no tests', async () => {
  const listed = JSON.parse((await npm(['pack', '--dry-run', '--json'], stage)).stdout)
  const files: string[] = Object.values(listed as Record<string, { files: { path: string }[] }>)[0]!.files.map(
    f => f.path,
  )
  for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/bundle/src/index.js', 'dist/src/index.d.ts'])
    assert.ok(files.includes(file), `${file} is missing`)
  for (const file of readdirSync(join(repoRoot, 'workers')))
    assert.ok(files.includes(`dist/bundle/workers/${basename(file, '.ts')}.js`), `${file} is missing`)
  assert.deepEqual(
    files.filter(
      file => /^(dist\/)?(test|bench|examples)\//.test(file) || /\.tsx?$/.test(file.replace(/\.d\.ts$/, '')),
    ),
    [],
  )
})

test('the first example of the README runs from the installed package on this Node', () => runExample(process.execPath))

test('the first example of the README runs on the newest Node', async () => {
  const node = await newestNode()
  const { stdout } = await execute(node, ['--version'], consumer)
  assert.ok(Number(/^v(\d+)/.exec(stdout)![1]) >= 26)
  await runExample(node)
})

test('an older CommonJS program can require it on the newest Node', async () => {
  const program = `const { Store } = require('phyllo'); console.log(typeof Store.open)`
  const { stdout } = await execute(await newestNode(), ['--input-type=commonjs', '-e', program], consumer)
  assert.equal(stdout.trim(), 'function')
})

test('the command line runs from the installed package', async () => {
  const phyllo = (...args: string[]) =>
    execute(process.execPath, [join(consumer, 'node_modules/.bin/phyllo'), '--root', 'cli-store', ...args], consumer)
  await phyllo('load', '-i', 'app.tar')
  assert.equal((await phyllo('cat', 'app:v1', '/etc/motd')).stdout, motd)
})

test('bundled by esbuild, it finds its workers through workersDir', async () => {
  const workers = `new URL('./node_modules/phyllo/dist/bundle/workers/', import.meta.url)`
  await runBundle('with-workers', `{ workers: 2, workersDir: ${workers} }`, external)
})

test('bundled by esbuild, it needs no worker files with workers: 0', async () => {
  // Away from node_modules/phyllo: only what is in the bundle, and the packages that are left alone, can be found.
  const alone = join(dir, 'alone')
  mkdirSync(join(alone, 'node_modules'), { recursive: true })
  cpSync(join(consumer, 'node_modules'), join(alone, 'node_modules'), {
    recursive: true,
    filter: path => !path.endsWith('node_modules/phyllo'),
  })
  cpSync(join(consumer, 'app.tar'), join(alone, 'app.tar'))
  await runBundle('inline', '{ workers: 0 }', external, alone)
})

test('publint finds nothing', async () => {
  const { stdout } = await execute(process.execPath, [join(tools, 'publint/src/cli.js'), 'run', stage, '--strict'], dir)
  assert.match(stdout, /All good!/)
})

test('arethetypeswrong finds nothing', async () => {
  const attw = join(tools, '@arethetypeswrong/cli/dist/index.js')
  await execute(process.execPath, [attw, tarball(), '--profile', 'esm-only', '--no-color', '--no-emoji'], dir)
})

test('a strict TypeScript program compiles against it, its declarations included', async () => {
  writeFileSync(
    join(consumer, 'program.ts'),
    `import { type Image, type Operation, PhylloError, Store } from 'phyllo'
export async function first(path: string): Promise<string | undefined> {
  const store: Store = await Store.open(path, { compression: 'none', workers: 0, limits: { layerBytes: 1e9 } })
  const loading: Operation<readonly Image[]> = store.load('app.tar', { signal: AbortSignal.timeout(1000) })
  for await (const event of loading) if (event.type === 'progress') console.log(event.done)
  const [image] = await loading
  const view = await store.view('app:v1')
  const text: string = view.readFileSync('/etc/os-release', 'utf8')
  const size: bigint = (await view.promises.stat('/etc', { bigint: true })).size
  await store.close()
  return image === undefined ? new PhylloError('IMAGE_NOT_FOUND', text).code : \`\${image.tags[0]} \${size}\`
}
`,
  )
  writeFileSync(
    join(consumer, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        exactOptionalPropertyTypes: true,
        noUncheckedIndexedAccess: true,
        skipLibCheck: false,
        target: 'es2022',
        module: 'nodenext',
        types: ['node'],
        noEmit: true,
      },
      files: ['program.ts'],
    }),
  )
  await execute(process.execPath, [join(tools, 'typescript/lib/tsc.js'), '-p', consumer], consumer)
})

/** The first block of code in README.md that imports the package. */
function firstExample(): string {
  const blocks = readFileSync(join(repoRoot, 'README.md'), 'utf8').matchAll(/^```(?:js|ts)\n([\s\S]*?)^```$/gm)
  const [first] = [...blocks].map(([, code]) => code!)
  if (!first?.includes(`from 'phyllo'`)) assert.fail('the README has no example')
  return first
}

/** In a folder of its own below the installed package, so that every run begins without a store. */
async function runExample(node: string): Promise<void> {
  const place = mkdtempSync(join(consumer, 'run-'))
  for (const name of ['app.tar', 'example.js']) cpSync(join(consumer, name), join(place, name))
  const { stdout } = await execute(node, ['example.js'], place)
  assert.ok(stdout.includes('app:v1'), stdout)
  assert.ok(stdout.includes(osRelease), stdout)
  assert.ok(stdout.includes('motd'), stdout)
  assert.ok(existsSync(join(place, 'app-again.tar')))
}

async function runBundle(name: string, options: string, leaveOut: string[], place = consumer): Promise<void> {
  const program = `import { Store } from 'phyllo'
    const store = await Store.open(${JSON.stringify(`${name}-store`)}, ${options})
    await store.load('app.tar')
    const view = await store.view('app:v1')
    process.stdout.write(view.readFileSync('/etc/motd', 'utf8'))
    await store.save(['app:v1'], ${JSON.stringify(`${name}.tar`)}, { format: 'oci-archive' })
    await store.close()`
  await build({
    stdin: { contents: program, resolveDir: consumer, sourcefile: 'program.js' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: leaveOut,
    // CommonJS packages in an ES module bundle still call require().
    banner: {
      js: `import { createRequire as requireFor } from 'node:module'; const require = requireFor(import.meta.url)`,
    },
    outfile: join(place, `${name}.js`),
    logLevel: 'error',
  })
  const { stdout } = await execute(process.execPath, [`${name}.js`], place)
  assert.equal(stdout, motd)
  assert.ok(existsSync(join(place, `${name}.tar`)))
}

/** The newest Node, from npm, kept between runs outside of the repository. */
async function newestNode(): Promise<string> {
  const name = `node-${process.platform}-${process.arch}`
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'phyllo-tests', 'newest-node')
  mkdirSync(cache, { recursive: true })
  await npm(['install', '--prefix', cache, '--no-save', '--no-audit', '--no-fund', `${name}@latest`], cache)
  return join(cache, 'node_modules', name, 'bin/node')
}

function tarball(): string {
  return join(dir, `${description.name}-${description.version}.tgz`)
}

function npm(args: string[], cwd: string) {
  return execute('npm', args, cwd)
}

async function execute(program: string, args: string[], cwd: string): Promise<{ stdout: string; stderr: string }> {
  // What an outer `npm test` says about itself must not reach an inner npm; where the registry is, it may.
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_/i.test(name) || /^npm_config_(cache|registry|userconfig|globalconfig)$/i.test(name),
  )
  const path = [join(tools, '.bin'), process.env.PATH].join(delimiter)
  const env = { ...Object.fromEntries(inherited), PATH: path, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined }
  try {
    return await promisify(execFile)(program, args, { cwd, env, maxBuffer: 2 ** 26 })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout ?? ''}${stderr ?? error}`)
  }
}
