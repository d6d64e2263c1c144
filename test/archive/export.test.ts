/** Exports into files and streams: whole, or not there. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough, type Writable } from 'node:stream'
import { test } from 'node:test'
import { exportTo } from '../../src/archive/export.js'
import { Operation } from '../../src/operation.js'
import { Union } from '../../src/overlay/union/union.js'
import { scratch } from '../build/layerfile.js'
import { file, layersOf, node } from '../build/memory-layer.js'
import { scan } from '../build/scan.js'

const contents = { large: file('x'.repeat(3_000_000)), s: node(0o140644), small: file('small') }

function exporting(output: string | Writable, signal?: AbortSignal, union = new Union(layersOf(contents), {})) {
  return new Operation(op => exportTo(union, { output, durable: false, label: 'box' }, op), signal)
}

test('a file is there when it is whole; what is left out is told', async t => {
  const dir = scratch(t)
  const operation = exporting(join(dir, 'out.tar'))
  const warnings: string[] = []
  for await (const event of operation) if (event.type === 'warning') warnings.push(event.message)
  await operation
  const tar = readFileSync(join(dir, 'out.tar'))
  assert.deepEqual(
    scan(tar).map(({ name }) => name),
    ['large', 'small'],
  )
  assert.equal(operation.report.bytesWritten, tar.length)
  assert.match(warnings.join(), /^s: a socket/)
  assert.deepEqual(readdirSync(dir), ['out.tar'])
})

test('what fails leaves nothing, and tells why', async t => {
  const dir = scratch(t)
  const [layer] = layersOf(contents)
  const reason = new Error('broken')
  Object.assign(layer!, { read: () => Promise.reject(reason) })
  await assert.rejects(exporting(join(dir, 'out.tar'), undefined, new Union([layer!], {})).then(), reason)
  assert.deepEqual(readdirSync(dir), [])
})

test('an abort does not wait for a stream that nobody reads', async () => {
  const stop = new AbortController()
  const reason = new Error('enough')
  const stuck = new PassThrough({ highWaterMark: 1 })
  stuck.on('error', () => undefined)
  const operation = exporting(stuck, stop.signal)
  setTimeout(() => stop.abort(reason), 20)
  await assert.rejects(operation.then(), reason)
  assert.ok(stuck.destroyed)
})
