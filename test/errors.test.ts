import assert from 'node:assert/strict'
import { constants } from 'node:os'
import { test } from 'node:test'
import { callError, PhylloError, told, toldLater } from '../src/errors.js'

function failed(code: string, errno: number): Error {
  return Object.assign(new Error(`${code}: as ordered, write`), { code, errno, syscall: 'write' })
}

test('a failed call is told with operation, path, errno and cause, and other facts', () => {
  const cause = failed('ENOSPC', -28)
  const error = callError('STORE_IO', cause, { path: '/a/file', offset: 7 })
  const { name, code, operation, path, errno, offset, message } = error
  assert.deepEqual(
    [name, code, operation, path, errno, offset],
    ['PhylloError', 'STORE_IO', 'write', '/a/file', 'ENOSPC', 7],
  )
  assert.equal(message, '/a/file: write failed: ENOSPC: as ordered, write')
  assert.equal(error.cause, cause)
  assert.equal(callError('OUTPUT_IO', error, { operation: 'other' }), error)
})

test('an errno for which libuv has no name has its own', () => {
  const number = -constants.errno.EDQUOT
  const error = callError('STORE_IO', failed(`Unknown system error ${number}`, number), { path: '/a' })
  assert.equal(error.errno, 'EDQUOT')
  assert.match(error.message, /EDQUOT/)
})

test('what is no failed call has no errno, and a stream of the user no path', () => {
  const error = callError('OUTPUT_IO', new Error('gone'), { said: 'the output' })
  assert.deepEqual([error.operation, error.message], ['write', 'the output: gone'])
  assert.ok(!('errno' in error) && !('path' in error))
})

test('told and toldLater give the result, or the error of the call', async () => {
  const fail = () => {
    throw failed('EIO', -5)
  }
  assert.equal(
    told('STORE_IO', {}, () => 1),
    1,
  )
  assert.throws(() => told('STORE_IO', { operation: 'read', path: '/a' }, fail), { operation: 'read', errno: 'EIO' })
  assert.equal(await toldLater('INPUT_IO', {}, async () => 2), 2)
  const later = toldLater('INPUT_IO', { path: '/a' }, async () => fail())
  await assert.rejects(later, (error: unknown) => error instanceof PhylloError && error.code === 'INPUT_IO')
})
