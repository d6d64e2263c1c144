/** tar-split's checksum, against the definition, bit by bit. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Crc64, crcOfNothing, loadCrc64 } from '../../src/tar/crc64.js'

function naive(bytes: Uint8Array): string {
  let crc = 2n ** 64n - 1n
  for (const byte of bytes) {
    crc ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ 0xd800000000000000n : crc >> 1n
  }
  const sum = Buffer.alloc(8)
  sum.writeBigUInt64BE(crc ^ (2n ** 64n - 1n))
  return sum.toString('base64')
}

function sumOf(crc: Crc64, parts: readonly Uint8Array[]): string {
  crc.init()
  for (const part of parts) crc.update(part)
  return crc.digest()
}

test('the check values of the facts', async () => {
  const crc = await loadCrc64()
  for (const [text, sum] of [
    ['', crcOfNothing],
    ['123456789', 'uQlWx3WkEAE='],
    ['hello\n', 'YUw+7uLYEAA='],
    ['1', 'QyAAAAAAAAA='],
    ['hello world', 'uc8/VyrZrD4='],
  ] as const)
    assert.equal(sumOf(crc, [Buffer.from(text)]), sum, text)
})

test('any bytes in any two parts', async () => {
  const crc = await loadCrc64()
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ minLength: 100, maxLength: 700, size: 'max' }),
  )
  fc.assert(
    fc.property(bytes, fc.nat(700), (content, cut) => {
      const at = Math.min(cut, content.length)
      assert.equal(sumOf(crc, [content.subarray(0, at), content.subarray(at)]), naive(content))
    }),
    { numRuns: Number(process.env.PHYLLO_RUNS ?? 150) },
  )
})
