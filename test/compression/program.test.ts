/** The way through a program, with programs that every Unix has; those that decompress are in tools.system.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decompress } from '../../src/compression/compression.js'
import { throughProgram } from '../../src/compression/program.js'
import { defaultLimits } from '../../src/limits.js'
import { chunked, collect, zeros } from '../build/compressed.js'

const sh = (script: string) => ({ name: 'sh', args: ['-c', script], advice: '' })
const run = (script: string, input: Uint8Array) => collect(throughProgram(chunked(input, 10_000), sh(script), 'layer'))

test('bytes go through', async () => {
  const input = Buffer.alloc(1_000_000, 'through ')
  assert.ok((await run('cat', input)).equals(input))
})

test('a status, a signal, a word on stderr: COMPRESSION_INVALID with the reason, escaped and bounded', async () => {
  const failing = [
    ['cat; exit 3', /ended with 3$/],
    ['kill -9 $$', /ended with SIGKILL$/],
    ['cat; echo trailing garbage >&2', /: trailing garbage$/],
    ["printf 'a\\033[31mb\\n' >&2; exit 1", /: a\\u001b\[31mb$/],
    ['exec 0<&-; echo no input >&2; exit 1', /: no input$/],
  ] as const
  for (const [script, message] of failing) {
    await assert.rejects(run(script, zeros(300_000)), { code: 'COMPRESSION_INVALID', message }, script)
  }
  await assert.rejects(run('yes nonsense | head -c 1000000 >&2; exit 1', zeros(1)), (error: Error) => {
    return error.message.length < 2000
  })
})

test('the program sees a clean environment', async () => {
  process.env.PHYLLO_TEST_SECRET = 'secret'
  const seen = (await run('cat >/dev/null; export -p', zeros(1))).toString()
  delete process.env.PHYLLO_TEST_SECRET
  assert.match(seen, /LC_ALL/)
  assert.doesNotMatch(seen, /secret|HOME=/)
})

test('COMPRESSION_UNSUPPORTED says what to install; the source is closed', async () => {
  const { PATH } = process.env
  process.env.PATH = '/nonexistent'
  let open = 0
  async function* source(magic: string) {
    open++
    try {
      yield Buffer.from(magic, 'latin1')
    } finally {
      open--
    }
  }
  try {
    for (const [magic, message] of [
      ['BZh9xxxx', /Install bzip2/],
      ['\xfd7zXZ\0xx', /Install xz-utils/],
    ] as const) {
      const chunks = decompress(source(magic), { limits: defaultLimits, label: 'layer' })
      await assert.rejects(collect(chunks), { code: 'COMPRESSION_UNSUPPORTED', message })
    }
  } finally {
    process.env.PATH = PATH
  }
  assert.equal(open, 0)
})
