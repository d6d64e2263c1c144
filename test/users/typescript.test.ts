/**
 * TypeScript's incremental program and language service over a container, by a host that only forwards, while the host's files are locked:
 * what they write is what the same compiler writes in a plain directory, byte for byte.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ts } from '@ts-morph/common'
import type { Container, Store } from '../../src/index.js'
import { locked } from '../build/host-fs.js'
import { typescriptProject } from '../build/typescript-project.js'
import { directoryOf, layerOf, storeWithImage } from '../build/users.js'

const project = typescriptProject()

/** The project in `/app`, its packages in one layer and the rest in the next. */
async function containerOf(t: TestContext): Promise<{ readonly store: Store; readonly box: Container }> {
  const part = (packages: boolean) =>
    layerOf(
      Object.fromEntries(Object.entries(project).filter(([path]) => path.startsWith('node_modules/') === packages)),
    )
  const store = await storeWithImage(t, [part(true), part(false)])
  return { store, box: await store.create('image:v1') }
}

/** What the compiler asks of a machine, forwarded to the synchronous functions of an `fs`. `written` is told of each file. */
function systemOf(face: typeof fs, root: string, written: (path: string) => void = () => undefined): ts.System {
  const stat = (path: string) => face.statSync(path, { throwIfNoEntry: false })
  const isDirectory = (path: string) => stat(path)?.isDirectory() ?? false
  return {
    args: [],
    newLine: '\n',
    useCaseSensitiveFileNames: true,
    write: () => undefined,
    exit: () => undefined,
    resolvePath: path => join(root, path),
    getExecutingFilePath: () => `${root}/node_modules/typescript/lib/typescript.js`,
    getCurrentDirectory: () => root,
    fileExists: path => stat(path)?.isFile() ?? false,
    directoryExists: isDirectory,
    readFile: path => (face.existsSync(path) ? face.readFileSync(path, 'utf8') : undefined),
    realpath: path => face.realpathSync(path),
    getDirectories: path =>
      isDirectory(path) ? face.readdirSync(path).filter(name => isDirectory(`${path}/${name}`)) : [],
    readDirectory: path => face.readdirSync(path),
    createDirectory: path => face.mkdirSync(path),
    writeFile: (path, text) => {
      written(path)
      face.writeFileSync(path, text)
    },
  }
}

interface Compiled {
  /** Paths that were looked at again. */
  readonly affected: readonly string[]
  readonly written: readonly string[]
  /** `path:line: code`. */
  readonly errors: readonly string[]
}

function configOf(system: ts.System, root: string): ts.ParsedCommandLine {
  const { config } = ts.readConfigFile(`${root}/tsconfig.json`, system.readFile)
  return ts.parseJsonConfigFileContent(config, system, root, undefined, `${root}/tsconfig.json`)
}

function compile(face: typeof fs, root: string): Compiled {
  const written: string[] = []
  const system = systemOf(face, root, path => written.push(path))
  const { fileNames, options, errors } = configOf(system, root)
  const host = ts.createIncrementalCompilerHost(options, system)
  const program = ts.createIncrementalProgram({
    rootNames: fileNames,
    options,
    host,
    configFileParsingDiagnostics: errors,
  })
  const found = [...errors, ...program.getOptionsDiagnostics(), ...program.getGlobalDiagnostics()]
  const affected: string[] = []
  for (let next = program.getSemanticDiagnosticsOfNextAffectedFile(); next !== undefined; ) {
    if ('fileName' in next.affected) affected.push(next.affected.fileName)
    found.push(...next.result)
    next = program.getSemanticDiagnosticsOfNextAffectedFile()
  }
  found.push(...program.emit().diagnostics)
  return { affected, written, errors: found.map(lineOf) }
}

function lineOf({ file, start, code }: ts.Diagnostic): string {
  return file === undefined
    ? `${code}`
    : `${file.fileName}:${file.getLineAndCharacterOfPosition(start!).line + 1}: ${code}`
}

const outputs = ['.tsbuildinfo', 'area.d.ts', 'area.js', 'area.js.map', 'index.d.ts', 'index.js', 'index.js.map']

test('an incremental program compiles, writes .tsbuildinfo, and takes up there again', async t => {
  const root = directoryOf(t, project)
  assert.deepEqual(compile(fs, root).errors, [])
  const { store, box } = await containerOf(t)
  await locked(store.root, () => {
    const first = compile(box, '/app')
    assert.deepEqual(first.errors, [])
    for (const path of [
      'src/index.ts',
      'packages/shapes/index.d.ts',
      'node_modules/pure-rand/lib/esm/distribution/uniformInt.d.ts',
    ])
      assert.ok(first.affected.includes(`/app/${path}`), path)
    assert.deepEqual(box.readdirSync('/app/out'), outputs)
    const again = compile(box, '/app')
    assert.deepEqual(again, { affected: [], written: [], errors: [] })
  })
  for (const name of outputs)
    assert.equal(box.readFileSync(`/app/out/${name}`, 'utf8'), fs.readFileSync(`${root}/out/${name}`, 'utf8'), name)

  await locked(store.root, () => {
    const text = box.readFileSync('/app/src/area.ts', 'utf8')
    box.writeFileSync(
      '/app/src/area.ts',
      text.replace('): number', '): string').replace('width * height', 'String(width)'),
    )
    const broken = compile(box, '/app')
    assert.deepEqual(broken.affected, ['/app/src/area.ts', '/app/src/index.ts'])
    assert.deepEqual(broken.errors, ['/app/src/index.ts:6: 2322'])
    box.writeFileSync('/app/src/area.ts', text)
    assert.deepEqual(compile(box, '/app').errors, [])
  })
  assert.equal(box.readFileSync('/app/out/.tsbuildinfo', 'utf8'), fs.readFileSync(`${root}/out/.tsbuildinfo`, 'utf8'))
})

test('a language service: errors where they are, definitions through links, what it emits', async t => {
  const { store, box } = await containerOf(t)
  await locked(store.root, () => {
    const system = systemOf(box, '/app')
    const { options, fileNames } = configOf(system, '/app')
    const service = ts.createLanguageService({
      ...system,
      useCaseSensitiveFileNames: () => true,
      getCompilationSettings: () => options,
      getScriptFileNames: () => fileNames,
      getScriptVersion: path => `${box.statSync(path, { bigint: true }).mtimeNs}`,
      getScriptSnapshot: path => ts.ScriptSnapshot.fromString(box.readFileSync(path, 'utf8')),
      getDefaultLibFileName: given => `/app/node_modules/typescript/lib/${ts.getDefaultLibFileName(given)}`,
    })
    const index = '/app/src/index.ts'
    const errors = () =>
      [...service.getSyntacticDiagnostics(index), ...service.getSemanticDiagnostics(index)].map(lineOf)
    assert.deepEqual(errors(), [])
    const text = box.readFileSync(index, 'utf8')
    const found = service.getDefinitionAtPosition(index, text.indexOf('square(1)'))
    assert.deepEqual(
      found?.map(({ fileName }) => fileName),
      ['/app/packages/shapes/index.d.ts'],
    )
    const { outputFiles } = service.getEmitOutput(index)
    for (const output of outputFiles) box.writeFileSync(`/app/${output.name.split('/').at(-1)}`, output.text)
    compile(box, '/app')
    assert.equal(box.readFileSync('/app/index.js', 'utf8'), box.readFileSync('/app/out/index.js', 'utf8'))

    box.appendFileSync(index, 'square(false)\n')
    assert.deepEqual(errors(), [`${index}:9: 2345`])
    box.rmSync('/app/node_modules/pure-rand', { recursive: true })
    box.writeFileSync(index, text)
    service.cleanupSemanticCache()
    assert.deepEqual(errors(), [`${index}:2: 2307`, `${index}:3: 2307`])
  })
})
