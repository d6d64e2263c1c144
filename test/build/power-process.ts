/**
 * A process that changes a store on and on, and says what stands after each change, until the power goes:
 * `node power-process.js STORE ARCHIVES OUTPUTS SEED DURABILITY`.
 *
 * Lines: `begin KEY…`, what is about to change; `ok JSON`, everything that there is by now, which nothing may take back.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { type Container, PhylloError, Store } from '../../src/index.js'
import { noise } from './crash-images.js'
import { tagsOf } from './naive-store.js'
import { shownFiles } from './power-cut.js'
import { randomOf } from './upper-sequence.js'

const [root, archives, outputs, seed, durability] = process.argv.slice(2) as [string, string, string, string, string]
const random = randomOf(Number(seed))
const store = await Store.open(root, { durability: durability as 'full' | 'none', workers: 2 })
const box = await store.container('box')
const written = new Map(shownFiles(box).map(([path, hash]) => [`box ${path}`, hash]))
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
for (const name of readdirSync(outputs)) written.set(`out ${name}`, sha256(readFileSync(join(outputs, name))))

const pick = <T>(items: readonly T[]): T => items[random(items.length)]!
const names = () => [...tagsOf(root).keys()].filter(name => name !== 'keep:1')
const begin = (...keys: string[]) => void writeSync(1, `begin ${keys.join(' ')}\n`)

async function ok(): Promise<void> {
  const tags = [...tagsOf(root)].map(([name, id]) => [`tag ${name}`, id])
  const boxes = (await store.containers()).map(({ name }) => [`container ${name}`, ''])
  writeSync(1, `ok ${JSON.stringify(Object.fromEntries([...tags, ...boxes, ...written]))}\n`)
}

/** What a container shows is safe after a sync of all, of the file, or when it is closed. */
async function change(container: Container): Promise<void> {
  const path = `/data/${random(6)}`
  const content = noise(pick([10, 5000, 90_000]), random(1000))
  begin(`box ${path}`)
  const way = random(3)
  if (way === 0) {
    container.writeFileSync(path, content)
    await container.sync()
  } else if (way === 1) {
    const handle = await container.promises.open(path, 'w')
    await handle.writeFile(content)
    await handle.sync()
    await handle.close()
  } else {
    const fd = container.openSync(path, 'w')
    container.writeSync(fd, content)
    container.fsyncSync(fd)
    container.closeSync(fd)
  }
  written.set(`box ${path}`, sha256(content))
}

const works: readonly (() => Promise<void>)[] = [
  async () => {
    const name = pick(readdirSync(archives).sort())
    begin(...['x', 'y'].map(tag => `tag ${name.replace('.tar', '')}:${tag}`))
    await store.load(join(archives, name))
  },
  async () => {
    const to = `made:${random(6)}`
    begin(`tag ${to}`)
    await store.tag(pick(['keep:1', ...names()]), to)
  },
  async () => {
    const name = pick(['none:1', ...names()])
    begin(`tag ${name}`)
    await store.remove(name)
  },
  async () => {
    const tag = `committed:${random(3)}`
    begin(`tag ${tag}`)
    await box.commit({ tag })
  },
  async () => {
    const name = `s${random(3)}.tar`
    begin(`out ${name}`)
    await store.save(pick(['keep:1', ...names()]), join(outputs, name))
    written.set(`out ${name}`, sha256(readFileSync(join(outputs, name))))
  },
  async () => {
    const name = `c${random(2)}`
    begin(`container ${name}`)
    const there = (await store.containers()).some(other => other.name === name)
    if (there) return store.removeContainer(name)
    await using made = await store.create('keep:1', { name })
    made.writeFileSync('/made', 'made')
  },
  () => change(box),
  () => change(box),
]

await ok()
for (;;) {
  try {
    await pick(works)()
  } catch (error) {
    // What was picked is not there, or in use.
    if (!(error instanceof PhylloError) || !['IMAGE_NOT_FOUND', 'IMAGE_IN_USE'].includes(error.code)) throw error
  }
  await ok()
}
