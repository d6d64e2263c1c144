/**
 * A batch of scripts (script.ts) in a container of a real dockerd, by its shell, and in one of ours; both committed, and each image
 * brought to the other side. What came of it is lines, to be compared.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Store } from '../../src/index.js'
import { DockerTrees } from './docker-trees.js'
import { type Dockerd, startDockerd } from './dockerd.js'
import { type Form, listDirectory, listView } from './full-listing.js'
import { archiveOf, legacyArchive } from './image.js'
import { layerLines } from './layer-lines.js'
import { readMembers } from './members.js'
import { type Script, shellOf, shellPrograms } from './script.js'
import { moved, shellLayer, tarOfTree, wellFormed } from './tree-tar.js'
import type { TreeNode, TreeNodes } from './union-sequence.js'

/** What each side shows. */
export interface Side {
  /** Of each step whether it failed. */
  readonly outcomes: readonly string[]
  /** What it says that has changed. */
  readonly diff: readonly string[]
  /** The container, times to the nanosecond. */
  readonly tree: readonly string[]
  /** The container, times in seconds, as a layer has them. */
  readonly inSeconds: readonly string[]
  /** Entries of the layer that it commits. */
  readonly layer: readonly string[]
  /** The committed image, in docker and here. */
  readonly images: readonly (readonly string[])[]
}

export interface Batch {
  readonly ours: Side
  readonly theirs: Side
  /** Steps of a script that a line speaks of, for who has to understand a failure. */
  stepsOf(line: string): string
}

/** What must be the same, and of whom. */
export interface Comparison {
  readonly what: string
  readonly one: readonly string[]
  readonly other: readonly string[]
}

export interface Sides extends AsyncDisposable {
  readonly dockerd: Dockerd
  readonly trees: DockerTrees
  readonly store: Store
  readonly scratch: string
}

/** All scripts are below this directory. */
const top = '/w'
const now = 1_300_000_000n * 1_000_000_000n
const exact: Form = { below: top, time: ns => (ns >= now ? 'now' : String(ns)) }
const inSeconds: Form = { below: top, time: ns => (ns >= now ? 'now' : String(ns / 1_000_000_000n)) }
/** No path is without a time. */
const none: ReadonlySet<string> = new Set()
/** What no layer by docker has. */
const withoutUserXattrs = (line: string) => line.replace(/ user\.\S+=\S*/g, '')

/** A daemon and a store of their own. */
export async function openSides(): Promise<Sides> {
  // Short, because the daemon's socket is in it.
  const scratch = mkdtempSync('/tmp/ps-')
  const store = await Store.open(join(scratch, 'store'), { durability: 'none', workers: 1 })
  const dockerd = await startDockerd(join(scratch, 'd'))
  const close = async () => {
    await store.close()
    await dockerd.stop()
    rmSync(scratch, { recursive: true, force: true })
  }
  return { dockerd, store, scratch, trees: new DockerTrees(dockerd, scratch), [Symbol.asyncDispose]: close }
}

export async function runBatch(sides: Sides, name: string, scripts: readonly Script[]): Promise<Batch> {
  const { dockerd, trees, store, scratch } = sides
  const base = await bringToBoth(sides, name, layersOf(scripts))
  const box = await store.create(base, { name })
  const played = scripts.map(script => script.play(box, `${top}/${script.name}`))
  const shell = played.map(({ steps }) => shellOf(steps)).join('\n')
  const printed = await dockerd.docker('run', ...['--name', name, '--network', 'none'], base, '/bin/sh', '-c', shell)
  await box.commit({ tag: `${name}:ours` })
  await dockerd.docker('commit', name, `${name}:theirs`)

  const before = await trees.listImage(base, none, inSeconds)
  const side = { sides, name, before, archive: (who: string) => join(scratch, `${name}-${who}.tar`) }
  const ours = await showSide(side, 'ours', async form => listView(box, none, form))
  const theirs = await showSide(side, 'theirs', form =>
    trees.inContainer(name, merged => listDirectory(merged, none, form)),
  )
  const diff = [...box.changes()].map(({ kind, path }) => `${kind} ${path}`).sort()
  const theirDiff = (await dockerd.docker('diff', name)).trim().split('\n').sort()
  await box.close()
  await dockerd.docker('rm', name)

  const steps = played.flatMap(script => script.steps).map(step => step.join(' '))
  const failed = played.flatMap(script => script.failed)
  const theyFailed = printed.trim().split('\n').map(Number)
  const told = (outcomes: readonly unknown[]) => steps.map((step, at) => `${step}: ${outcomes[at] ? 'failed' : 'done'}`)
  return {
    ours: { ...ours, diff, outcomes: told(failed) },
    theirs: { ...theirs, diff: theirDiff, outcomes: told(theyFailed) },
    stepsOf(line) {
      const at = scripts.findIndex(script => line.includes(`${top}/${script.name}/`))
      if (at < 0) return ''
      return `${JSON.stringify(scripts[at]!.layers)}\n${played[at]!.steps.map(step => step.join(' ')).join('\n')}`
    },
  }
}

/** The image that both begin with. */
async function bringToBoth(
  { dockerd, store, scratch }: Sides,
  name: string,
  layers: readonly Buffer[],
): Promise<string> {
  const base = `${name}:base`
  const path = join(scratch, `${name}-base.tar`)
  writeFileSync(path, archiveOf(legacyArchive([{ tags: [base], layers }])))
  await dockerd.docker('load', '-i', path)
  await store.load(path)
  return base
}

interface Shown {
  readonly sides: Sides
  readonly name: string
  /** The image that was changed. */
  readonly before: readonly string[]
  archive(who: string): string
}

/** The container, and the image that was made of it, brought to the other side. */
async function showSide(
  { sides: { dockerd, trees, store }, name, before, archive }: Shown,
  who: 'ours' | 'theirs',
  list: (form: Form) => Promise<string[]>,
) {
  const image = `${name}:${who}`
  if (who === 'ours') {
    await store.save(image, archive(who))
    await dockerd.docker('load', '-i', archive(who))
  } else {
    await dockerd.docker('save', '-o', archive(who), image)
    await store.load(archive(who))
  }
  const view = await store.view(image)
  const here = listView(view, none, inSeconds)
  await view.close()
  const after = await list(inSeconds)
  return {
    tree: await list(exact),
    inSeconds: after,
    layer: layerLines(await lastLayer(archive(who)), { before, after }),
    images: [await trees.listImage(image, none, inSeconds), here],
  }
}

export function comparisons({ ours, theirs }: Batch): Comparison[] {
  const [inDocker, here] = theirs.images.map(image => image.map(withoutUserXattrs)) as [string[], string[]]
  const theirContainer = theirs.inSeconds.map(withoutUserXattrs)
  return [
    { what: 'the same steps succeed', one: ours.outcomes, other: theirs.outcomes },
    { what: 'both containers show the same tree', one: ours.tree, other: theirs.tree },
    { what: 'changes() is docker diff', one: ours.diff, other: theirs.diff },
    { what: 'both layers have the same entries', one: ours.layer, other: theirs.layer },
    { what: 'our image in docker is our container', one: ours.images[0]!, other: ours.inSeconds },
    { what: 'our image here is our container', one: ours.images[1]!, other: ours.inSeconds },
    { what: 'their image in docker is their container', one: inDocker, other: theirContainer },
    { what: 'their image here is their container', one: here, other: theirContainer },
  ]
}

/** Throws with the lines that one has alone, and the script that they are about. */
export function assertSame({ stepsOf }: Batch, { what, one, other }: Comparison): void {
  const [more, missing] = [one.filter(line => !other.includes(line)), other.filter(line => !one.includes(line))]
  const [first = ''] = [...more, ...missing]
  assert.deepEqual({ more, missing }, { more: [], missing: [] }, `${what}\n${stepsOf(first)}`)
  assert.deepEqual(one, other, what)
}

/** The shell, and then the layers of all scripts, each in the script's own directory. */
function layersOf(scripts: readonly Script[]): Buffer[] {
  const all = scripts.map(({ name, layers }) => ({ name, layers: wellFormed(layers) }))
  const deepest = Math.max(...all.map(({ layers }) => layers.length))
  const directory = (children: TreeNodes): TreeNode => ({ t: 'd', mode: 0o755, mtime: 1e18, children })
  const tars = Array.from({ length: deepest }, (_, at) => {
    const children = all.map(({ name, layers }) => [
      name,
      directory(moved(layers[at] ?? {}, `${top.slice(1)}/${name}`)),
    ])
    return tarOfTree({ [top.slice(1)]: directory(Object.fromEntries(children) as TreeNodes) })
  })
  return [shellLayer(shellPrograms), ...tars]
}

async function lastLayer(archive: string): Promise<Buffer> {
  const members = await readMembers(readFileSync(archive))
  const [{ Layers }] = JSON.parse(members.get('manifest.json')!.body.toString()) as [{ readonly Layers: string[] }]
  return members.get(Layers.at(-1)!)!.body
}
