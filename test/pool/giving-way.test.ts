/** Jobs that have a thread only while no other job wants one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { defaultLimits } from '../../src/limits.js'
import { Pool } from '../../src/pool/pool.js'
import { Turns } from '../../src/pool/turns.js'

const dir = mkdtempSync(join(tmpdir(), 'phyllo-pool-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const workersDir = new URL('./workers/', import.meta.url)

/** A job of the usual kind. */
function work(pool: Pool, label: string, signal?: AbortSignal) {
  const source = { path: '/dev/null', offset: 0, sizeBytes: 0 }
  const input = { source, label, target: join(dir, 'out'), compression: 'none', limits: defaultLimits } as const
  return pool.run('write-layer', input, signal && { signal })
}

/** A job that gives way; `begun` and `ended` count how often. */
function help(pool: Pool, signal?: AbortSignal) {
  const memory = new SharedArrayBuffer(12)
  const words = new Int32Array(memory)
  const onLeave = () => {
    Atomics.add(words, 0, 1)
    Atomics.notify(words, 0)
  }
  const run = pool.run(
    'compress-blocks',
    { codec: 'lz4' },
    { memory: () => memory, onLeave, ...(signal && { signal }) },
  )
  return { run, onLeave, begun: () => Atomics.load(words, 1), ended: () => Atomics.load(words, 2) }
}

async function until(what: string, happened: () => boolean): Promise<void> {
  for (let tries = 0; tries < 2000 && !happened(); tries++) await sleep(5)
  assert.ok(happened(), what)
}

test('a helper leaves when a job waits for its thread, and one only for each', async () => {
  await using pool = new Pool({ workers: 2, workersDir })
  const stop = new AbortController()
  const helpers = [help(pool), help(pool, stop.signal)]
  await until('both help', () => helpers.every(({ begun }) => begun() === 1))
  assert.deepEqual((await work(pool, 'fine')).warnings, ['fine'])
  assert.deepEqual(await helpers[0]!.run, { bytes: 0 })
  assert.equal(helpers[1]!.ended(), 0)
  stop.abort(new Error('enough'))
  helpers[1]!.onLeave()
  await assert.rejects(helpers[1]!.run, /enough/)
})

test('a helper waits behind every job, also behind those that came later', async () => {
  await using pool = new Pool({ workers: 1, workersDir })
  const stop = new AbortController()
  const target = join(dir, 'out')
  writeFileSync(target, '')
  const running = work(pool, 'step until stopped', stop.signal)
  while (statSync(target).size === 0) await sleep(2)
  const helper = help(pool)
  const later = work(pool, 'fine').then(() => helper.begun())
  stop.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
  assert.equal(await later, 0)
  await until('it helps', () => helper.begun() === 1)
  await work(pool, 'fine')
  await helper.run
})

test('a helper that waits for a thread leaves at once when it is aborted', async () => {
  await using pool = new Pool({ workers: 1, workersDir })
  const [first, second] = [new AbortController(), new AbortController()]
  const running = work(pool, 'step until stopped', first.signal)
  const helper = help(pool, second.signal)
  second.abort(new Error('not needed'))
  await assert.rejects(helper.run, /not needed/)
  first.abort(new Error('enough'))
  await assert.rejects(running, /enough/)
  assert.equal(helper.begun(), 0)
})

test('close ends helpers that sleep', async () => {
  const pool = new Pool({ workers: 1, workersDir, killAfterMs: 0 })
  const helper = help(pool)
  const refused = assert.rejects(helper.run, { code: 'STORE_CLOSED' })
  await until('it helps', () => helper.begun() === 1)
  await pool.close()
  await refused
})

test('turns against a list, for 300 random orders of events', async () => {
  const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`PHYLLO_SEED=${seed}`)
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  for (let run = 0; run < 300; run++) {
    const turns = new Turns(2)
    const holding: { name: string; leave: (() => void) | undefined }[] = []
    const waiting: { name: string; gives: boolean }[] = []
    const asked = new Set<string>()
    const expectedAsked = new Set<string>()
    for (let step = 0; step < 20; step++) {
      if (random(2) === 0) {
        const name = `${step}`
        const gives = random(2) === 0
        const leave = gives ? () => void asked.add(name) : undefined
        // The one that has helped longest, of those that have not been asked.
        const first = holding.find(({ name, leave }) => leave !== undefined && !expectedAsked.has(name))
        if (holding.length === 2 && !gives && first !== undefined) expectedAsked.add(first.name)
        waiting.push({ name, gives })
        void turns.take(undefined, leave).then(() => {
          const next = waiting.find(({ gives }) => !gives) ?? waiting[0]
          assert.equal(next?.name, name)
          waiting.splice(waiting.indexOf(next!), 1)
          holding.push({ name, leave })
        })
      } else if (holding.length > 0) turns.next(holding.splice(random(holding.length), 1)[0]!.leave)
      await new Promise(done => setImmediate(done))
      assert.ok(holding.length === 2 || waiting.length === 0)
      assert.deepEqual(asked, expectedAsked)
    }
  }
})
