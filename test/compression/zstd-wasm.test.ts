/** How we share the package zstddec with the rest of the program: its state is one for the whole thread. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { ZSTDDecoder } from 'zstddec/stream'
import { loadZstdWasm } from '../../src/compression/zstd-wasm.js'
import { frame } from '../build/compressed.js'

test('once we have taken its module, the package still works for others', async () => {
  await loadZstdWasm()
  const decoder = new ZSTDDecoder()
  await decoder.init()
  const content = Buffer.from('for others')
  assert.deepEqual(Buffer.from(decoder.decode(frame([{ raw: content }]), content.length)), content)
})

test('where somebody else was first, the engine says that it is not there', async () => {
  const zstddec = import.meta.resolve('zstddec/stream')
  const ours = new URL('../../src/compression/zstd-wasm.js', import.meta.url).href
  const code = `
    import { parentPort } from 'node:worker_threads'
    const { ZSTDDecoder } = await import(${JSON.stringify(zstddec)})
    await new ZSTDDecoder().init()
    const { loadZstdWasm } = await import(${JSON.stringify(ours)})
    parentPort.postMessage(await loadZstdWasm().then(() => 'loaded', error => error.message))`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(code)}`))
  const answer = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  assert.match(String(answer), /in use by another part/)
})
