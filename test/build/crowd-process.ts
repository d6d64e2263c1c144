/**
 * One of many that use a store at once: `node crowd-process.js DIRECTORY INDEX SEED MS STATE`. It owns the names that begin with
 * `p<INDEX>/`, knows what they mean, and looks again before each step whether that is so.
 *
 * Lines: `begin KIND NAME`, a name is about to change; `ok KIND NAME [ID]`, it has, and this is what it means by now.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { PhylloError, Pool, Store } from '../../src/index.js'
import { type ImageKey, idOf, images } from './crash-images.js'
import { tagsOf } from './naive-store.js'
import { randomOf } from './upper-sequence.js'

const [directory, index, seed, ms, state] = process.argv.slice(2) as [string, string, string, string, string]
const root = join(directory, 'store')
const mine = `p${index}/`
const random = randomOf(Number(seed))
const known = new Map(Object.entries(JSON.parse(state) as Record<string, string>))
const saved = new Map<string, string>()
const keys = Object.keys(images) as ImageKey[]
const pick = <T>(items: readonly T[]): T => items[random(items.length)]!
const say = (...words: string[]) => void writeSync(1, `${words.join(' ')}\n`)
const pool = new Pool({ workers: 1 })
const store = await Store.open(root, { pool, durability: pick(['full', 'none']) })

/** What nobody else changes is as it was left. */
function verify(): void {
  const found = new Map([...tagsOf(root)].filter(([name]) => name.startsWith(mine)))
  assert.deepEqual([...found].sort(), [...known].sort(), 'a name does not mean what it did')
}

async function named(kind: string, name: string, work: () => PromiseLike<unknown>): Promise<void> {
  say('begin', kind, name)
  await work()
  const id = tagsOf(root).get(name)
  if (id === undefined) known.delete(name)
  else known.set(name, id)
  say('ok', kind, name, id ?? '')
}

async function mark(kind: string, name: string, id: string, work: () => PromiseLike<unknown>): Promise<void> {
  await named(kind, name, work)
  assert.equal(known.get(name), id, `${kind} of ${name}`)
}

/** Loads an image and gives it the name. */
const load = (key: ImageKey) =>
  mark('load', `${mine}${key}:x`, idOf(key), () => store.load(join(directory, `${index}-${key}.tar`)))

async function someName(): Promise<string> {
  if (known.size === 0) await load(pick(keys))
  return pick([...known.keys()])
}

const works: readonly (() => Promise<void>)[] = [
  () => load(pick(keys)),
  async () => {
    const from = await someName()
    const to = `${mine}seq:${random(3)}`
    await mark('tag', to, known.get(from)!, () => store.tag(from, to))
  },
  async () => {
    const name = await someName()
    await named('rmi', name, () => store.remove(name))
  },
  async () => {
    const from = await someName()
    const name = `p${index}-${random(1e9)}`
    await using box = await store.create(from, { name })
    box.writeFileSync('/mine', `of ${index} ${random(1e9)}`)
    const tag = `${mine}made:${random(3)}`
    await named('commit', tag, () => box.commit({ tag }))
    await box.close()
    await store.removeContainer(name)
    say('ok', 'rm', name)
  },
  async () => {
    const name = await someName()
    await using view = await store.view(name)
    for (const path of view.readdirSync('/', { recursive: true, withFileTypes: true }))
      if (path.isFile()) view.readFileSync(join(path.parentPath, path.name))
    say('ok', 'read', name)
  },
  async () => {
    const id = known.get(await someName())!
    const path = join(directory, `${index}-saved.tar`)
    await store.save(id, path)
    const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
    rmSync(path)
    assert.equal(hash, saved.get(id) ?? hash, `image ${id} was saved differently before`)
    saved.set(id, hash)
    say('ok', 'save', id)
  },
  async () => {
    await store.gc()
    say('ok', 'gc')
  },
  async () => {
    await store.prune()
    say('ok', 'prune')
  },
]

verify()
const until = performance.now() + Number(ms)
while (performance.now() < until) {
  try {
    await pick(works)()
  } catch (error) {
    // Somebody else uses the image, or all wait for the lock.
    if (!(error instanceof PhylloError) || !['IMAGE_IN_USE', 'STORE_BUSY'].includes(error.code)) throw error
    say('ok', error.code)
  }
  verify()
}
await store.close()
await pool.close()
say('end')
