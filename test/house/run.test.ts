/** The test runner itself: whatever is not a plain pass must make it fail, and be told. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { compiledRoot } from '../build/repo.js'

interface Outcome {
  readonly code: number
  readonly output: string
  readonly last: string
  readonly expected: unknown
}

const head = `import { test, describe, before } from 'node:test'\n`
const good = `${head}test('one', t => t.test('two', () => {}))\ndescribe('suite', () => { test('three', () => {}) })\n`

const quickDeadline = { PHYLLO_TEST_TIMEOUT_MS: '5000' }

/** Runs the runner on a repository of its own, with these test files. */
async function runner(
  files: Readonly<Record<string, string>>,
  args: readonly string[] = [],
  expected = { plain: 0, core: 0, system: 0 },
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  const dir = mkdtempSync(join(tmpdir(), 'phyllo-runner-'))
  try {
    for (const folder of ['test/house', 'dist/test/build', 'dist/test/house', '.ci'])
      mkdirSync(join(dir, folder), { recursive: true })
    writeFileSync(join(dir, 'package.json'), '{ "type": "module" }')
    writeFileSync(join(dir, '.ci/packages'), '# program package\nno-such-program its-package\n')
    writeFileSync(join(dir, 'test/expected.json'), JSON.stringify(expected))
    for (const file of ['test/run.js', ...['repo', 'fast-directory', 'say-again'].map(name => `test/build/${name}.js`)])
      copyFileSync(join(compiledRoot, file), join(dir, 'dist', file))
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(dir, 'dist/test', `${name}.js`), text)
      if (!name.startsWith('stale')) writeFileSync(join(dir, 'test', `${name}.ts`), '')
    }
    const { NODE_TEST_CONTEXT: _, ...outer } = process.env
    return await new Promise(resolve =>
      execFile(
        process.execPath,
        ['dist/test/run.js', ...args],
        { cwd: dir, env: { ...outer, ...env } },
        (error, out, err) =>
          resolve({
            code: error === null ? 0 : Number(error.code),
            output: out + err,
            last: out.trimEnd().split('\n').at(-1)!,
            expected: JSON.parse(readFileSync(join(dir, 'test/expected.json'), 'utf8')),
          }),
      ),
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function fails(text: string, reason: RegExp, last: string, env?: NodeJS.ProcessEnv): Promise<void> {
  const outcome = await runner({ 'good.test': good, 'bad.test': text }, [], undefined, env)
  assert.equal(outcome.last, last, outcome.output)
  assert.equal(outcome.code, 1)
  assert.match(outcome.output, reason)
}

test('passing tests pass, subtests counted, suites not', async () => {
  const outcome = await runner({ 'good.test': good, 'more.test': `${head}test('four', () => {})` })
  assert.equal(outcome.last, '4 passed, 0 failed', outcome.output)
  assert.equal(outcome.code, 0)
})

test('a failed test fails it, and is told in full', () =>
  fails(
    `${head}test('bad', () => { throw new Error('the reason') })`,
    /bad\n.*Error: the reason/,
    '3 passed, 1 failed',
  ))

test('what failed is said again at the end, shortened', async () => {
  const long = `${head}console.log('line\\n'.repeat(500)); test('bad', () => { throw new Error('the reason') })`
  const { output } = await runner({ 'bad.test': long, 'good.test': good }, [], { plain: 9, core: 0, system: 0 })
  const [first, again, ...more] = output.split('\nfailed:\n')
  assert.deepEqual(more, [])
  assert.match(first!, /^FAIL .*bad\.test\.js, 1 failed$/m)
  assert.match(first!, /^ok .*good\.test\.js$/m)
  assert.match(again!, /^FAIL .*bad\.test\.js, 1 failed\n +bad\n.*the reason/)
  assert.doesNotMatch(again!, /good\.test/)
  assert.match(again!, /… \d+ more lines above\nonly 3 of at least 9 tests .*\n3 passed, 2 failed\n$/)
  assert.ok(again!.split('\n').length < 70)
  assert.equal((first!.match(/line\n/g) ?? []).length, 500)
})

test('plain makes files in memory where there is room, core where TMPDIR says; nothing of it stays', async () => {
  const told = `${head}import { tmpdir } from 'node:os'\ntest('told', () => { throw new Error('in ' + tmpdir()) })`
  const where = async (suite: string) => /Error: in (\S+)/.exec((await runner({ 'a.test': told }, [suite])).output)![1]!
  const [plain, core] = [await where('plain'), await where('core')]
  assert.match(plain, /\/phyllo-tests-\w+$/)
  assert.equal(existsSync(plain), false)
  assert.equal(core, tmpdir())
})

test('a skipped test fails it', () => fails(`${head}test.skip('bad', () => {})`, /bad: skipped/, '3 passed, 1 failed'))

test('a test that is to do fails it', () => fails(`${head}test.todo('bad')`, /bad: to do/, '3 passed, 1 failed'))

// Node 20 and 22 cancel it when nothing is left to wait for; Node 26 waits on, and the deadline ends the file.
test('a test that never ends fails it', () =>
  fails(
    `${head}test('bad', () => new Promise(() => {}))`,
    /bad\n.*pending|it was ended after/s,
    '3 passed, 1 failed',
    quickDeadline,
  ))

test('a failing hook fails it', () =>
  fails(
    `${head}describe('bad', () => { before(() => { throw new Error('hook') }); test('x', () => {}) })`,
    /hook/,
    '3 passed, 2 failed',
  ))

test('a file without a test fails it', () => fails('', /it holds no test/, '3 passed, 1 failed'))

test('a file that dies fails it', () => fails('process.exit(3)', /the file/, '3 passed, 1 failed'))

test('a file that does not parse fails it, and its output is shown', () =>
  fails('const x = ', /SyntaxError/, '3 passed, 1 failed'))

test('a file that hangs is ended, and fails it', () =>
  fails(
    `${head}test('a', () => {}); setInterval(() => {}, 1000)`,
    /it was ended after 5\.0 s/,
    '4 passed, 1 failed',
    quickDeadline,
  ))

test('fewer tests than expected fail it, more do not, and --update writes the number', async () => {
  const expect = (plain: number) => ({ plain, core: 7, system: 8 })
  const fewer = await runner({ 'good.test': good }, [], expect(4))
  assert.equal(fewer.last, '3 passed, 1 failed')
  assert.match(fewer.output, /only 3 of at least 4 tests/)
  assert.equal((await runner({ 'good.test': good }, [], expect(2))).last, '3 passed, 0 failed')
  const updated = await runner({ 'good.test': good }, ['--update'], expect(9))
  assert.equal(updated.last, '3 passed, 0 failed')
  assert.deepEqual(updated.expected, expect(3))
})

test('no test at all fails it', async () => {
  const outcome = await runner({ 'good.test': good }, ['--only', 'nothing'])
  assert.equal(outcome.last, '0 passed, 1 failed')
  assert.equal(outcome.code, 1)
})

test('plain leaves out system tests and compiled files without a source; core leaves out the house', async () => {
  const files = { 'good.test': good, 'bad.system.test': 'throw 1', 'stale.test': 'throw 1', 'house/a.test': good }
  assert.equal((await runner(files)).last, '6 passed, 0 failed')
  assert.equal((await runner(files, ['core'])).last, '3 passed, 0 failed')
})

test('system names each prerequisite that is missing, and fails', async () => {
  const outcome = await runner({ 'good.system.test': good }, ['system'])
  assert.equal(outcome.code, 1)
  assert.match(outcome.output, /no-such-program \(Debian package its-package\)/)
  assert.match(outcome.last, /^0 passed, [1-9]\d* failed$/)
})
