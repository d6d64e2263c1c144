/** How fast can all contents of an image be read? A walk in stored order, against readdir and readFile of the same view. */
import { join } from 'node:path'
import { Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { timesTable } from './print.js'
import { runProcess } from './process.js'
import type { Question } from './questions.js'

type View = Awaited<ReturnType<Store['view']>>

/** What a pass has seen: the passes must agree. */
interface Seen {
  files: number
  bytes: number
  /** Of a byte of every content, so that each was really there. */
  sum: number
}

const names = {
  stored: "walk({ order: 'stored' })",
  promises: 'promises.readdir, promises.readFile',
  sync: 'readdirSync, readFileSync',
  tars: 'openTar of every layer, all at once',
} as const

export const question: Question = {
  title: 'read all contents of an image',
  peersBeside: ['openssl', 'tar'],
  inputs: ['app'],
  async ask({ rounds, places, beside, has, input, report, say }) {
    const root = await places.quick.fresh()
    {
      await using store = await Store.open(root, { durability: 'none' })
      await store.load(input('app'))
    }
    const passes: Seen[] = []
    const contestants: Contestant[] = [
      viewer(root, names.stored, passes, readStored),
      viewer(root, names.promises, passes, readNames),
    ]
    if (beside) contestants.push(viewer(root, names.sync, passes, readNamesSync), tarReader(root))
    if (beside && has('tar')) {
      const all = `for layer in $(tar -tf "$0" --wildcards '*/layer.tar'); do tar -xOf "$0" "$layer" | tar -xO >"$1"; done`
      contestants.push({
        name: 'tar -xO of every layer',
        run: () => runProcess(['sh', '-c', all, input('app'), '/dev/null']),
      })
    }
    if (beside && has('openssl'))
      contestants.push({
        name: 'openssl dgst -sha256',
        run: () => runProcess(['openssl', 'dgst', '-sha256', input('app')]),
      })
    const times = await contest(contestants, rounds)
    const [first, ...others] = passes.map(seen => JSON.stringify(seen))
    if (others.some(other => other !== first)) throw new Error(`the passes differ: ${[first, ...others].join(' ')}`)
    say(
      `${passes[0]!.files} files; store on ${places.quick.fileSystem}:\n${timesTable(times, names.stored, { bytes: passes[0]!.bytes })}`,
    )
    report('read: readdir and readFile / stored order', times.ratios(names.promises, names.stored))
  },
}

/** A pass over a view of a store that was opened for it: nothing is in its caches. */
function viewer(
  root: string,
  name: string,
  passes: Seen[],
  read: (view: View, seen: (content: Buffer) => void) => Promise<void>,
): Contestant {
  let store: Store
  let view: View
  return {
    name,
    prepare: async () => {
      store = await Store.open(root, { readOnly: true })
      view = await store.view('app:v1')
    },
    run: async () => {
      const seen: Seen = { files: 0, bytes: 0, sum: 0 }
      await read(view, content => {
        seen.files++
        seen.bytes += content.length
        seen.sum += content[content.length >> 1] ?? 0
      })
      passes.push(seen)
    },
    tidy: () => store.close(),
  }
}

/** What is left when no entry is looked at: reading, checking and decompressing every block. */
function tarReader(root: string): Contestant {
  let store: Store
  return {
    name: names.tars,
    prepare: async () => void (store = await Store.open(root, { readOnly: true })),
    run: async () => {
      const image = await store.image('app:v1')
      if (image === undefined) throw new Error('app:v1 is not there')
      await Promise.all(image.layers.map(async layer => drained(await layer.openTar())))
    },
    tidy: () => store.close(),
  }
}

async function drained(tar: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of tar) if (chunk.length === 0) throw new Error('an empty chunk')
}

async function readStored(view: View, seen: (content: Buffer) => void): Promise<void> {
  for await (const entry of view.walk({ order: 'stored' })) seen(await entry.content())
}

async function readNames(view: View, seen: (content: Buffer) => void, folder = '/'): Promise<void> {
  for (const item of await view.promises.readdir(folder, { withFileTypes: true })) {
    const path = join(folder, item.name)
    if (item.isDirectory()) await readNames(view, seen, path)
    else if (item.isFile()) seen(await view.promises.readFile(path))
  }
}

async function readNamesSync(view: View, seen: (content: Buffer) => void): Promise<void> {
  const folders = ['/']
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const item of view.readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, item.name)
      if (item.isDirectory()) folders.push(path)
      else if (item.isFile()) seen(view.readFileSync(path))
    }
}
