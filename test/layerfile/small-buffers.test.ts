/** Contents that share slabs: none is another's, and a kept one keeps little. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mostShared, SmallBuffers } from '../../src/layerfile/small-buffers.js'

const slabBytes = 65_536

test('buffers of any lengths lie beside each other, in slabs or in memory of their own', () => {
  const lengths = fc.array(fc.oneof(fc.nat(100), fc.nat(mostShared + 100)), { maxLength: 200 })
  fc.assert(
    fc.property(lengths, lengths => {
      const memory = new SmallBuffers()
      const taken = lengths.map((length, n) => memory.take(length).fill(n))
      for (const [n, buffer] of taken.entries()) {
        assert.equal(buffer.length, lengths[n])
        assert.ok(buffer.every(byte => byte === n % 256))
        assert.equal(buffer.buffer.byteLength, buffer.length > mostShared ? buffer.length : slabBytes)
        assert.equal(buffer.byteOffset % 8, 0)
      }
    }),
  )
})

test('slabs are filled before the next is made', () => {
  const memory = new SmallBuffers()
  const slabs = new Set(Array.from({ length: 1000 }, () => memory.take(1024).buffer))
  assert.equal(slabs.size, Math.ceil((1000 * 1024) / slabBytes))
})

test('what does not fit into the rest of a slab begins the next one', () => {
  const memory = new SmallBuffers()
  const before = Array.from({ length: 63 }, () => memory.take(1024)).at(-1)!
  const next = memory.take(2048)
  assert.equal(next.length, 2048)
  assert.notEqual(next.buffer, before.buffer)
})

test('sending one to another thread does not take the others along', () => {
  const memory = new SmallBuffers()
  const [sent, kept] = [memory.take(10), memory.take(10).fill('k')]
  try {
    structuredClone(sent, { transfer: [sent.buffer as ArrayBuffer] })
  } catch (error) {
    // Newer versions of node refuse, older ones copy
    assert.equal((error as Error).name, 'DataCloneError')
  }
  assert.equal(String(kept), 'kkkkkkkkkk')
  assert.equal(memory.take(10).length, 10)
})
