/** HalfSipHash against a plain implementation, which is checked with the authors' first vectors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ByteString } from '../../../src/byte-string.js'
import { hashName } from '../../../src/tar/tree/keyed-hash.js'

/** As the paper describes it, for any number of rounds, over any bytes. */
function halfSipHash(
  key: readonly [number, number],
  bytes: Uint8Array,
  compression: number,
  finalization: number,
): number {
  const v = new Uint32Array([key[0], key[1], 0x6c796765 ^ key[0], 0x74656462 ^ key[1]])
  const rotate = (i: number, by: number) => (v[i] = (v[i]! << by) | (v[i]! >>> (32 - by)))
  const round = () => {
    v[0]! += v[1]!
    rotate(1, 5)
    v[1]! ^= v[0]!
    rotate(0, 16)
    v[2]! += v[3]!
    rotate(3, 8)
    v[3]! ^= v[2]!
    v[0]! += v[3]!
    rotate(3, 7)
    v[3]! ^= v[0]!
    v[2]! += v[1]!
    rotate(1, 13)
    v[1]! ^= v[2]!
    rotate(2, 16)
  }
  const padded = Buffer.alloc((Math.floor(bytes.length / 4) + 1) * 4)
  padded.set(bytes)
  padded[padded.length - 1] = bytes.length & 0xff
  for (let at = 0; at < padded.length; at += 4) {
    const word = padded.readUInt32LE(at)
    v[3]! ^= word
    for (let i = 0; i < compression; i++) round()
    v[0]! ^= word
  }
  v[2]! ^= 0xff
  for (let i = 0; i < finalization; i++) round()
  return (v[1]! ^ v[3]!) >>> 0
}

test('the plain implementation gives the vectors of HalfSipHash-2-4', () => {
  const key = [0x03020100, 0x07060504] as const
  const vectors = ['a9359f5b', '27475ab8', 'fa62a603']
  for (const [length, expected] of vectors.entries()) {
    const hash = Buffer.alloc(4)
    hash.writeUInt32LE(
      halfSipHash(
        key,
        Uint8Array.from({ length }, (_, i) => i),
        2,
        4,
      ),
    )
    assert.equal(hash.toString('hex'), expected)
  }
})

test('a directory and a name are hashed as HalfSipHash-1-3', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 })
  fc.assert(
    fc.property(word, word, fc.nat(2 ** 31 - 1), fc.uint8Array({ maxLength: 255 }), (k0, k1, dir, name) => {
      const message = Buffer.alloc(4 + name.length)
      message.writeUInt32LE(dir)
      message.set(name, 4)
      const text = Buffer.from(name).toString('latin1') as ByteString
      assert.equal(hashName({ k0, k1 }, dir, text), halfSipHash([k0, k1], message, 1, 3))
    }),
  )
})
