/** Against the programs of the machine: gzip, zstd, xz and bzip2 make the bytes, and say what is to be refused. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { createRing } from '../../src/compression/block-ring.js'
import { type Compression, decompress } from '../../src/compression/compression.js'
import { compressGzip } from '../../src/compression/parallel-gzip.js'
import { decompressZstd, zstdEngines } from '../../src/compression/zstd.js'
import { defaultLimits, KiB, MiB } from '../../src/limits.js'
import { nativeEnabled } from '../../src/native/native.js'
import { chunked, collect, concat, zeros } from '../build/compressed.js'

/** Runs a program over bytes. */
function tool(command: string, input: Uint8Array): { readonly status: number | null; readonly output: Buffer } {
  const [program = '', ...args] = command.split(' ')
  const { status, stdout, error } = spawnSync(program, args, { input, maxBuffer: 64 * MiB })
  if (error !== undefined) throw error
  return { status, output: stdout }
}

const text = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${i} ${(i * i) % 9973}\n`).join(''))
const content = concat(text, randomBytes(300 * KiB), zeros(2 * MiB), text)
const run = (bytes: Uint8Array, size = 65_536) =>
  collect(decompress(chunked(bytes, size), { limits: defaultLimits, label: 'layer' }))

const commands: readonly [string, Compression][] = [
  ['gzip -c -1', 'gzip'],
  ['gzip -c -9', 'gzip'],
  ['zstd -q -c -1', 'zstd'],
  ['zstd -q -c -19 --long=27', 'zstd'],
  ['zstd -q -c -3 -B1KB --no-check', 'zstd'],
  ['xz -c -0', 'xz'],
  ['bzip2 -c', 'bzip2'],
]

for (const [command, name] of commands) {
  test(`${command} is read, also joined to itself`, async () => {
    const { output } = tool(command, content)
    assert.ok((await run(output)).equals(content))
    assert.ok((await run(concat(output, output), 10_000)).equals(concat(content, content)))
  })

  test(`${command}: truncated, damaged, followed by junk: COMPRESSION_INVALID with the reason`, async () => {
    const { output } = tool(command, content)
    const flipped = Buffer.from(output)
    flipped[output.length >> 1]! ^= 0xff
    const bad = [output.subarray(0, -1), output.subarray(0, output.length / 2), concat(output, Buffer.from('junk'))]
    if (!command.includes('no-check')) bad.push(flipped)
    for (const bytes of bad) {
      await assert.rejects(run(bytes), { code: 'COMPRESSION_INVALID', message: new RegExp(`^layer: ${name}: .`) })
    }
  })
}

for (const [name, load] of Object.entries(zstdEngines)) {
  test(`zstd engine ${name}: content, and the same refusals as the tool`, async () => {
    const engine = await load()
    if (engine === undefined) {
      // Either the library or Node's own, never both: see src/native/libzstd.ts.
      const nodeHasZstd = process.versions.zstd !== undefined
      assert.ok(name === 'node:zlib' ? !nodeHasZstd : name === 'libzstd' && (nodeHasZstd || !nativeEnabled()))
      return
    }
    const whole = tool('zstd -q -c -3', content).output
    const read = (bytes: Uint8Array) => collect(decompressZstd(chunked(bytes, 70_000), 'x', defaultLimits, engine))
    assert.ok((await read(whole)).equals(content))
    for (const bytes of [concat(whole, zeros(1)), concat(whole, zeros(4)), concat(whole, Buffer.from('junk'))]) {
      assert.notEqual(tool('zstd -q -dc', bytes).status, 0)
      await assert.rejects(read(bytes), { code: 'COMPRESSION_INVALID' })
    }
  })
}

test('what compressGzip writes, gzip reads, and says how long it is', async () => {
  for (const level of [1, 6, 9])
    for (const ring of [undefined, createRing()]) {
      const written = await collect(compressGzip(chunked(content), { level, ...(ring && { ring }) }))
      assert.equal(tool('gzip -t', written).status, 0)
      assert.ok(tool('gzip -dc', written).output.equals(content))
      assert.match(tool('gzip -lv', written).output.toString(), new RegExp(` ${content.length} `))
    }
})

test('a gzip of chunks whose checksum or length is wrong, or that is cut between two chunks: gzip refuses it, too', async () => {
  const written = await collect(compressGzip(chunked(content), { level: 6 }))
  // An empty stored block ends a chunk (RFC 1951 3.2.4).
  const border = written.indexOf(Buffer.from('0000ffff', 'hex'), written.length >> 2) + 4
  const damaged = [written.length - 1, written.length - 8].map(at => {
    const bytes = Buffer.from(written)
    bytes[at]! ^= 1
    return bytes
  })
  for (const bytes of [written.subarray(0, border), ...damaged]) {
    assert.notEqual(tool('gzip -t', bytes).status, 0)
    await assert.rejects(run(bytes), { code: 'COMPRESSION_INVALID' })
  }
})

test('E3: zeros behind a member: gzip accepts them, too', async () => {
  const padded = concat(tool('gzip -c', text).output, zeros(512))
  assert.ok(tool('gzip -dc', padded).output.equals(text))
  assert.ok((await run(padded)).equals(text))
})

test('E11: leaving the loop kills the program', async () => {
  for (const command of ['xz -c -0', 'bzip2 -c']) {
    const { output } = tool(command, concat(content, content))
    for await (const chunk of decompress(chunked(output, 1000), { limits: defaultLimits, label: 'x' })) {
      assert.ok(chunk.length > 0)
      break
    }
  }
  const children = tool(`ps --no-headers -o comm --ppid ${process.pid}`, zeros(0)).output.toString()
  assert.doesNotMatch(children, /xz|bzip2/)
})

test('a failure of the source comes out as it is, through a program as well', async () => {
  const failure = new Error('the disk is gone')
  for (const command of ['xz -c -0', 'bzip2 -c']) {
    const { output } = tool(command, content)
    async function* source() {
      yield output.subarray(0, 1000)
      throw failure
    }
    const chunks = decompress(source(), { limits: defaultLimits, label: 'x' })
    await assert.rejects(collect(chunks), (error: unknown) => error === failure)
  }
})

test('the memory of xz is bounded', async () => {
  const { output } = tool('xz -c --lzma2=preset=0,dict=1GiB', text)
  await assert.rejects(run(output), { code: 'COMPRESSION_INVALID', message: /[Mm]emory/ })
})
