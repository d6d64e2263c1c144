import assert from 'node:assert/strict'
import { test } from 'node:test'
import { finishing, firstFailure, inTurn, inTurnNow, together } from '../src/endings.js'
import { Operation } from '../src/operation.js'

const failing = (name: string) => () => Promise.reject(new Error(name))

test('together waits for what still runs when something has failed, and throws the first failure in order', async () => {
  let ended = false
  const slow = new Promise(resolve => setTimeout(resolve, 20)).then(() => (ended = true))
  const later = new Promise<never>((_, reject) => setTimeout(() => reject(new Error('first in order')), 5))
  await assert.rejects(together([slow, later, failing('first in time')()]), /first in order/)
  assert.ok(ended)
  assert.deepEqual(await together([1, Promise.resolve('two')]), [1, 'two'])
})

test('inTurn takes every step, and throws the first failure', async () => {
  const taken: number[] = []
  const steps = [() => taken.push(1), failing('one'), () => taken.push(2), failing('two'), () => taken.push(3)]
  await assert.rejects(inTurn(steps), /one/)
  assert.deepEqual(taken, [1, 2, 3])
  assert.throws(() => {
    inTurnNow([
      () => {
        throw new Error('one')
      },
      () => void taken.push(4),
    ])
  }, /one/)
  assert.deepEqual(taken, [1, 2, 3, 4])
})

test('finishing: the end comes whatever the work does, and the failure of the work is told', async () => {
  assert.equal(
    await finishing(
      () => 7,
      () => undefined,
    ),
    7,
  )
  await assert.rejects(finishing(failing('work'), failing('end')), /work/)
  await assert.rejects(
    finishing(() => 7, failing('end')),
    /end/,
  )
})

test('an operation whose work and clean-up both fail rejects with what the work failed with, not with SuppressedError', async () => {
  const operation = new Operation(async () => {
    await using _outer = { [Symbol.asyncDispose]: failing('outer end') }
    await using _inner = { [Symbol.asyncDispose]: failing('inner end') }
    throw new Error('work')
  })
  await assert.rejects(async () => operation, { message: 'work' })
  assert.equal(firstFailure('any'), 'any')
})
