/**
 * A process that pulls is killed, at points that a seed chooses, and another one pulls again: at most 4 MiB of each layer that was on its
 * way are sent twice, by the server's count, and the store is whole.
 */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Store } from '../../src/index.js'
import { ended, startPhyllo } from '../build/cli.js'
import { FakeRegistry, type Seen } from '../build/fake-registry.js'
import { noiseLayer, putImage } from '../build/registry-images.js'
import { scratchDir } from '../build/store.js'

const MiB = 1024 * 1024
const mayBeSentAgain = 4 * MiB
const pieceBytes = 64 * 1024
/** Of each blob: 16 MiB a second. */
const pauseMs = 4
const kills = 20
const seed = Number(process.env.PHYLLO_SEED ?? Date.now() % 2 ** 31)

const layers = [5, 9, 7, 3].map((megabytes, at) => noiseLayer(`f${at}`, megabytes * MiB, at + 1))

/** A registry on a slow wire, so that what it has written is nearly what was read. It counts what it has written of each blob. */
async function slowRegistry(t: TestContext) {
  const fake = await FakeRegistry.start(t)
  const { blobs, imageId } = putImage(fake, { layers }, { pack: layer => layer })
  const sent = new Map<string, number>()
  let onSent: (total: number) => void = () => undefined
  // What is written after a kill reaches nobody.
  let era = 0
  const send = async ({ url, headers }: Seen, response: ServerResponse) => {
    const digest = url.split('/').at(-1)!
    const bytes = fake.blobs.get(digest)!
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0)
    const mine = era
    const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from, ...(from > 0 && range) })
    for (let at = from; at < bytes.length && !response.destroyed && era === mine; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      if (!response.write(piece)) await drained(response)
      sent.set(digest, (sent.get(digest) ?? 0) + piece.length)
      onSent([...sent.values()].reduce((sum, one) => sum + one, 0))
      await new Promise(resolve => setTimeout(resolve, pauseMs))
    }
    if (era === mine) response.end()
    else response.destroy()
    return undefined
  }
  fake.route(blobs.map(blob => [`GET /v2/a/b/blobs/${blob}`, send] as const))
  const watch = (heard: typeof onSent) => void (onSent = heard)
  return { fake, blobs, imageId, sent, watch, cut: () => void era++ }
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise(resolve => {
    const settled = () => {
      response.off('drain', settled).off('close', settled)
      resolve()
    }
    response.on('drain', settled).on('close', settled)
    if (response.destroyed) settled()
  })
}

test('killed at twenty points: what has come is not sent again', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  const { fake, blobs, imageId, sent, watch, cut } = await slowRegistry(t)
  const all = blobs.reduce((sum, blob) => sum + fake.blobs.get(blob)!.length, 0)
  const name = `${fake.host}/a/b:v1`
  const env = { DOCKER_CONFIG: scratchDir(t) }
  let state = seed
  for (let kill = 0; kill < kills; kill++) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
    const point = Math.floor((state / 0x7fffffff) * all)
    sent.clear()
    const root = join(scratchDir(t), 'store')
    const child = startPhyllo(['--durability', 'none', 'pull', '-q', name], { root, env })
    watch(total => {
      if (total < point) return
      child.kill('SIGKILL')
      cut()
    })
    const { status, stderr } = await ended(child)
    assert.equal(status, null, `killed after ${point} of ${all} bytes: ${stderr}`)
    watch(() => undefined)
    const again = await ended(startPhyllo(['--durability', 'none', 'pull', '-q', name], { root, env }))
    assert.deepEqual([again.status, again.stderr], [0, ''], `after a kill at ${point}`)
    for (const blob of blobs) {
      const twice = sent.get(blob)! - fake.blobs.get(blob)!.length
      assert.ok(twice <= mayBeSentAgain, `killed after ${point} of ${all}: ${twice} bytes of ${blob} were sent again`)
    }
    await using store = await Store.open(root, { durability: 'none', workers: 1 })
    assert.equal((await store.image(name))?.id, imageId)
    assert.deepEqual((await store.check({ depth: 'full' })).findings, [])
  }
})
