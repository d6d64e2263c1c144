/**
 * Containers of real directories whose process dies at any call to the disk, and disks that are full at any. Needs root.
 *
 * An operation that died is done, or it is not; a rename may have left both names, and never neither. Times of directories, which
 * come last, are not compared.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { DirectoryContainer } from '../../build/directory-container.js'
import { Death, type Dying, dyingDisk } from '../../build/dying-disk.js'
import { inDirectory } from '../../build/in-directory.js'
import { systemCalls } from '../../build/real-tree.js'
import { dir, file, gone } from '../../build/tree-literals.js'
import { comparable, dumpRoot } from '../../build/union-dump.js'
import { outcomeOf } from '../../build/union-run.js'
import { freshSeed, type Op, sequence, type TreeNode, type TreeNodes } from '../../build/union-sequence.js'

const calls = await systemCalls()

/** Times of directories, numbers of links and the order of xattrs, which is the file system's, do not count. */
function withoutTimes({ mtime, nlink: _, group: __, children, xattrs, ...rest }: TreeNode): TreeNode {
  const sorted = xattrs && Object.fromEntries(Object.entries(xattrs).sort(([a], [b]) => (a < b ? -1 : 1)))
  const node = { ...rest, ...(sorted && { xattrs: sorted }) }
  if (children === undefined) return { ...node, ...(mtime !== undefined && { mtime }) }
  const inside = Object.entries(children).map(([name, child]) => [name, withoutTimes(child)])
  return { ...node, children: Object.fromEntries(inside) }
}

const shown = (root: TreeNode) => JSON.stringify(comparable(withoutTimes(root)))

/** Without contents, and times. */
function names(root: TreeNode): string {
  return JSON.stringify(root, (key, value: unknown) => (/^(data|mtime|nlink|group)$/.test(key) ? undefined : value))
}

/** What a path of a tree shows. */
function at(root: TreeNode, path: string): TreeNode | undefined {
  const names = path.split('/').filter(name => name !== '' && name !== '.')
  return names.reduce<TreeNode | undefined>((node, name) => node?.children?.[name], root)
}

interface Tally {
  before: number
  after: number
  both: number
}

/** Does each operation, dying at a call of it; then once more, if it was not done. */
async function dieAgainAndAgain(seed: number, directory: string, tally: Tally): Promise<void> {
  const { layers, ops } = sequence(seed, 60)
  const place = join(directory, 'box')
  const options = { directoryRename: 'copy' } as const
  let dying: Dying = dyingDisk(place, calls)
  await using box = await DirectoryContainer.make(
    place,
    calls,
    layers,
    options,
    () => (dying = dyingDisk(place, calls)).disk,
  )
  for (const [index, op] of ops.entries()) {
    const before = dumpRoot(box.union)
    dying.left = (seed + index * 7) % 9
    const died = dies(() => outcomeOf(box.union, op))
    dying.left = Number.POSITIVE_INFINITY
    if (!died) continue
    await box.abandon()
    const found = dumpRoot(box.union)
    const isBefore = shown(found) === shown(before)
    // Done twice, what is done already may be another thing: on a copy of the state nobody has died in
    outcomeOf(box.union, op)
    const after = dumpRoot(box.union)
    if (isBefore) tally.before++
    // Two calls: the file may be there, and not yet have what is written to it
    else if (op[0] === 'open' && [before, after].some(each => names(each) === names(found))) tally.after++
    else if (shown(found) === shown(after) || (await isDone(directory, layers, before, op, found))) tally.after++
    else {
      assert.equal(op[0], 'rename', `seed ${seed}, operation ${index}: ${JSON.stringify(op)} left half of it`)
      const [old, now] = [at(before, String(op[1])), at(found, String(op[2]))]
      const left = at(found, String(op[1]))
      assert.ok(same(old, now) || same(old, left), `seed ${seed}, operation ${index}: ${JSON.stringify(op)} lost it`)
      tally.both++
    }
  }
}

function same(one: TreeNode | undefined, other: TreeNode | undefined): boolean {
  return one !== undefined && other !== undefined && shown(one) === shown(other)
}

/** Whether the tree is that of the operation done on what there was: played in another container that has it as its one layer. */
async function isDone(
  directory: string,
  _: readonly TreeNodes[],
  before: TreeNode,
  op: Op,
  found: TreeNode,
): Promise<boolean> {
  const place = join(directory, 'other')
  await using other = await DirectoryContainer.make(place, calls, [unlinked(before.children!)], {
    directoryRename: 'copy',
  })
  outcomeOf(other.union, op)
  return (
    shown({ ...dumpRoot(other.union), ...{ mode: found.mode!, uid: found.uid!, gid: found.gid! } }) === shown(found)
  )
}

/** As a layer. */
function unlinked(tree: TreeNodes): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { nlink: _, group: __, children, ...node }]) => [
      name,
      { ...node, ...(children && { children: unlinked(children) }) },
    ]),
  )
}

function dies(work: () => unknown): boolean {
  try {
    work()
    return false
  } catch (error) {
    if (error instanceof Death) return true
    throw error
  }
}

test('who dies at any call leaves what there was, or what was to be; of a rename perhaps both', async () => {
  const seed = freshSeed()
  const tally = { before: 0, after: 0, both: 0 }
  for (let each = seed; each < seed + 25; each++)
    await inDirectory(directory => dieAgainAndAgain(each, directory, tally))()
  assert.ok(tally.before > 30 && tally.after > 8, JSON.stringify(tally))
})

const layer: TreeNodes = {
  d: dir({ f: file('f'), s: dir({ g: file('g'), h: { t: 'f', link: 'd/s/g' } }), gone: file('x') }),
  e: dir({ x: file('x') }),
  t: dir({}),
}

for (const target of ['/n', '/t', '/e/y'])
  test(`a directory of a layer renamed to ${target}: dead at any call, it is there`, async () => {
    let lastCalls = 0
    for (let left = 0, ended = false; !ended; left++)
      await inDirectory(async directory => {
        const place = join(directory, 'box')
        let dying: Dying = dyingDisk(place, calls)
        const make = () => (dying = dyingDisk(place, calls)).disk
        const options = { directoryRename: 'copy' } as const
        await using box = await DirectoryContainer.make(place, calls, [layer, { d: dir({ gone }) }], options, make)
        outcomeOf(box.union, ['open', '/d/own', 'w+c', 0o644, 'own'])
        const before = at(dumpRoot(box.union), '/d')
        dying.made = 0
        dying.left = left
        ended = !dies(() => assert.equal(outcomeOf(box.union, ['rename', '/d', target, '']), null))
        lastCalls = dying.made
        await box.abandon()
        const [old, now] = [at(dumpRoot(box.union), '/d'), at(dumpRoot(box.union), target)]
        assert.ok(same(before, old) || same(before, now), `dead after ${left} calls`)
        if (ended) assert.deepEqual([old, same(before, now)], [undefined, true])
      })()
    assert.ok(lastCalls > 20, `${lastCalls} calls`)
  })

test('a full disk: the operation fails with its reason, nothing has changed, and all goes on', async () => {
  const seed = freshSeed()
  let failed = 0
  for (let each = seed; each < seed + 20; each++)
    await inDirectory(async directory => {
      const { layers, ops } = sequence(each, 60)
      const place = join(directory, 'box')
      let dying: Dying = dyingDisk(place, calls)
      const make = () => (dying = dyingDisk(place, calls)).disk
      await using box = await DirectoryContainer.make(place, calls, layers, {}, make)
      for (const op of ops) {
        const before = dumpRoot(box.union)
        dying.fails = true
        // Whatever is made comes first
        dying.left = 0
        let full = false
        try {
          outcomeOf(box.union, op)
        } catch (error) {
          assert.equal((error as { errno?: string }).errno, 'ENOSPC')
          full = true
        }
        dying.left = Number.POSITIVE_INFINITY
        if (!full) continue
        const isMaking = ['open', 'mkdir', 'mknod', 'symlink'].includes(op[0])
        if (isMaking) {
          failed++
          assert.equal(shown(dumpRoot(box.union)), shown(before), JSON.stringify(op))
          outcomeOf(box.union, op)
        } else await box.abandon()
        const now = dumpRoot(box.union)
        await box.reopen()
        assert.equal(shown(dumpRoot(box.union)), shown(now), JSON.stringify(op))
      }
    })()
  assert.ok(failed > 8, `${failed}`)
})
