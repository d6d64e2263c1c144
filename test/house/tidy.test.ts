/** The rules of tidy.ts hold for the repository, and each of them can fail. */
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { before, test } from 'node:test'
import { errorCodes } from '../../src/errors.js'
import { defaultLimits } from '../../src/limits.js'
import { repoRoot } from '../build/repo.js'
import { type Source, withSources } from './syntax.js'
import * as tidy from './tidy.js'

const { unusedCodes, fileLinesMax, functionLinesMax, ...rules } = tidy
const lines = (count: number, text = '//') => `${text}\n`.repeat(count)

/** A small house with every fault once; rule → where it is found. */
const faults: Readonly<Record<string, string>> = {
  'src/long.ts': lines(fileLinesMax + 1),
  'src/full.ts': lines(fileLinesMax),
  'src/function.ts': `export function f() {\n${lines(functionLinesMax - 1)}}\nexport class A {\n  m() {\n${lines(functionLinesMax - 2)}  }\n}\n`,
  'src/common/a.ts': 'export {}',
  'src/tar/types.ts': 'export {}',
  'src/pool/pool-manager.ts': 'export {}',
  'src/communal/uncommon.ts': 'export {}',
  'src/later.ts': `// ${'todo'.toUpperCase()}: later\n`,
  'src/any.ts': `export const x = 1 as any // any\nexport const any = 'any'\n`,
  'src/manners.ts': `console.log(1)\nexport const f = () => process.exit(1)\nprocess.on('exit', f)\nprocess.umask(0)\nprocess.stdout.write('')\n`,
  'src/guest.ts': `export const x = [process.platform, process.env.HOME, 'console.log', process.hrtime(), f === process.stdout]\n`,
  'src/cli/main.ts': `console.log(1)\nprocess.exitCode = 1\n`,
  'src/wait.ts': `await null\nfor await (const _ of []) break\nexport const f = async () => { await null }\n`,
  'src/code.ts': `export const x = 'USED' // UNUSED\n`,
  'test/idle.test.ts': `declare const test: { (...x: object[]): void, skip(): void }, t: { todo(): void, test(x: object): void }, scanner: { skip(): void }
    test.skip(); scanner.skip()\nt.todo()\ntest({ only: true })\nt.test({ skip: 'reason' })\ntest({ concurrency: true })\n`,
}
const expected: Readonly<Record<keyof typeof rules, readonly string[]>> = {
  longFiles: ['src/long.ts'],
  longFunctions: ['src/function.ts:1'],
  emptyNames: ['src/common/a.ts', 'src/pool/pool-manager.ts', 'src/tar/types.ts'],
  promises: ['src/later.ts:1'],
  idleTests: ['test/idle.test.ts:2', 'test/idle.test.ts:3', 'test/idle.test.ts:4', 'test/idle.test.ts:5'],
  anyTypes: ['src/any.ts:1'],
  badManners: ['src/manners.ts:1', 'src/manners.ts:2', 'src/manners.ts:3', 'src/manners.ts:4', 'src/manners.ts:5'],
  topLevelAwaits: ['src/wait.ts:1', 'src/wait.ts:2'],
}

let house: readonly Source[]
let faulty: readonly Source[]
before(() => {
  const dir = mkdtempSync(join(tmpdir(), 'phyllo-tidy-'))
  const config = { include: ['src', 'test'], compilerOptions: { types: [], target: 'es2022', module: 'nodenext' } }
  for (const [path, text] of Object.entries({ ...faults, 'tsconfig.json': JSON.stringify(config) })) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), text)
  }
  house = withSources(repoRoot, sources => sources)
  faulty = withSources(dir, sources => sources)
  rmSync(dir, { recursive: true })
})

for (const [name, rule] of Object.entries(rules) as [keyof typeof rules, (sources: readonly Source[]) => string[]][]) {
  test(`the repository has no ${name}`, () => {
    assert.deepEqual(rule(house), [])
  })
  test(`${name} are found`, () => {
    const found = rule(faulty).map(finding => finding.split(': ')[0]!)
    assert.deepEqual(found.sort(), expected[name])
  })
}

test('every error code is used somewhere in src/ or workers/', () => {
  assert.deepEqual(unusedCodes(house, Object.keys(errorCodes)), [])
})

test('a code that only a comment names counts as unused', () => {
  assert.deepEqual(unusedCodes(faulty, ['USED', 'UNUSED']), ['UNUSED'])
})

test('every error code says what it means, in the table and word for word in README.md', () => {
  const file = join(repoRoot, 'README.md')
  const table = Object.entries(errorCodes).map(([code, text]) => `| \`${code}\` | ${text} |\n`)
  const rows = /(?:^\| `[A-Z_]+` \| .* \|\n)+/m
  if (process.env.PHYLLO_UPDATE === '1')
    writeFileSync(
      file,
      readFileSync(file, 'utf8').replace(rows, () => table.join('')),
    )
  assert.deepEqual(rows.exec(readFileSync(file, 'utf8'))?.[0].split(/(?<=\n)/), table)
})

test('every limit stands in README.md, with its default', () => {
  const units: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 }
  const readme = readFileSync(join(repoRoot, 'README.md'), 'utf8')
  const rows = [...readme.matchAll(/^\| `([a-zA-Z]+)` \| ([\d,]+)(?: ([KMG]iB))? \| .+ \|$/gm)]
  const written = rows.map(([, name, digits, unit]) => [
    name,
    Number(digits!.replaceAll(',', '')) * (unit === undefined ? 1 : units[unit]!),
  ])
  assert.deepEqual(written, Object.entries(defaultLimits))
})

test('every relative link in the documents leads somewhere', () => {
  const dead: string[] = []
  for (const document of ['README.md', 'CHANGELOG.md', 'src/README.md', 'native-notes.md', ...documents('docs')]) {
    const text = readFileSync(join(repoRoot, document), 'utf8')
    for (const [, target] of text.matchAll(/\]\((?!\w+:)([^)#\s]+)/g))
      if (!existsSync(join(repoRoot, dirname(document), target!))) dead.push(`${document}: ${target}`)
  }
  assert.deepEqual(dead, [])
})

function documents(dir: string): string[] {
  return readdirSync(join(repoRoot, dir), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.md'))
    .map(name => `${dir}/${name}`)
}
