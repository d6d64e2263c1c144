/**
 * Large files of the layers copied up into real directories: by asynchronous calls off the main thread, once, and whole or not at
 * all; calls at the same time against every order of them in the kernel. Needs root.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { UpperDisk } from '../../../src/drivers/overlay2/upper-disk.js'
import { type ContainerFs, createContainerFace } from '../../../src/overlay/face/container-face.js'
import { DirectoryContainer } from '../../build/directory-container.js'
import { directoryUpper } from '../../build/directory-upper.js'
import { inDirectory } from '../../build/in-directory.js'
import { LoopSteps } from '../../build/loop-steps.js'
import { Kernel } from '../../build/overlay-kernel.js'
import { Random } from '../../build/random-tar.js'
import { makeTree, systemCalls } from '../../build/real-tree.js'
import { dir, file } from '../../build/tree-literals.js'
import { comparable, dumpRoot } from '../../build/union-dump.js'
import { layerOf, rootOf, unionOf } from '../../build/union-run.js'
import { freshSeed, type Op, type TreeNode, type TreeNodes } from '../../build/union-sequence.js'

const calls = await systemCalls()
const MiB = 1024 * 1024
const large = 8 * MiB
const big = () => file('low.'.repeat(large / 4))

/** Counts what this thread writes and copies. */
function countingDisk(at: string, steps: LoopSteps): UpperDisk {
  class Counting extends UpperDisk {
    override write(...args: Parameters<UpperDisk['write']>): void {
      steps.done(args[2].length)
      super.write(...args)
    }

    override copy(...args: Parameters<UpperDisk['copy']>): void {
      steps.done(large)
      super.copy(...args)
    }
  }
  return new Counting(at, calls)
}

const changes: Record<string, (box: ContainerFs) => Promise<unknown>> = {
  chmod: box => box.promises.chmod('/big', 0o600),
  chown: box => box.promises.chown('/big', 1, 2),
  utimes: box => box.promises.utimes('/big', 1, 2),
  setxattr: box => box.promises.setxattr('/big', 'user.a', 'b'),
  rename: box => box.promises.rename('/big', '/d/other'),
  link: box => box.promises.link('/big', '/d/other'),
  'open for writing': async box => (await box.promises.open('/big', 'r+')).close(),
  truncate: box => box.promises.truncate('/big', large - 5),
  appendFile: box => box.promises.appendFile('/big', 'end'),
  'rename of a directory': box => box.promises.rename('/d', '/e'),
}

for (const [name, change] of Object.entries(changes))
  test(
    `this thread copies no content of a large file, and the kernel shows what we show: ${name}`,
    inDirectory(async directory => {
      const [at, steps] = [join(directory, 'box'), new LoopSteps()]
      const layer = { big: big(), d: dir({ big: big(), small: file('small') }) }
      await using kernel = new Kernel()
      await using box = await DirectoryContainer.make(at, calls, [layer], { directoryRename: 'copy' }, () =>
        countingDisk(at, steps),
      )
      await Promise.all([change(createContainerFace(box.union)), new Promise(setImmediate)])
      assert.ok(steps.longest < MiB, `${steps.longest} bytes in one step`)
      const { trees } = await box.mounted(kernel)
      assert.deepEqual(shape(trees[0]!), shape(dumpRoot(box.union)))
      const before = shape(dumpRoot(box.union))
      await box.reopen()
      assert.deepEqual(shape(dumpRoot(box.union)), before)
    }),
  )

test(
  'a layer that is no directory is copied slice by slice',
  inDirectory(async directory => {
    const steps = new LoopSteps()
    const layers = [layerOf({ big: big() })]
    const disk = countingDisk(directory, steps)
    const upper = await directoryUpper(directory, { calls, layers, root: rootOf(), disk })
    const box = createContainerFace(unionOf(layers, upper))
    await Promise.all([box.promises.chmod('/big', 0o600), box.promises.chown('/big', 1, 1)])
    assert.deepEqual([steps.longest, steps.total], [MiB, large])
    assert.equal(box.readFileSync('/big').length, large)
    await upper.close()
  }),
)

test(
  'a full disk: the call fails, nothing has changed, and nothing is left',
  inDirectory(async directory => {
    const [lower, place] = [join(directory, 'lower'), join(directory, 'small')]
    makeTree(calls, lower, { big: big() })
    fs.mkdirSync(place)
    calls.mount({ source: 'small', target: place, type: 'tmpfs', flags: 0, data: 'size=4m' })
    try {
      await using box = await DirectoryContainer.make(join(place, 'box'), calls, [], {})
      for (const layer of [layerOf({ big: big() }), await box.layerAt(lower)]) {
        const union = unionOf([layer], box.upper)
        const face = createContainerFace(union)
        await assert.rejects(face.promises.chmod('/big', 0o600), { code: 'STORE_IO', errno: 'ENOSPC' })
        assert.equal(face.statSync('/big').mode & 0o777, 0o644)
        assert.deepEqual(fs.readdirSync(join(box.at, 'work/phyllo')), [])
        assert.deepEqual(fs.readdirSync(join(box.at, 'diff')), [])
      }
    } finally {
      calls.umount2(place, 2)
    }
  }),
)

for (const way of ['sync', 'kernel'] as const)
  test(
    `killed while a file is copied up: the old one is there, and nothing else (${way})`,
    inDirectory(async directory => {
      const [at, lower] = [join(directory, 'box'), join(directory, 'lower')]
      makeTree(calls, lower, { big: big() })
      fs.mkdirSync(at)
      const program = fileURLToPath(new URL('../../build/upper-copy-process.js', import.meta.url))
      const { signal, stderr } = spawnSync(process.execPath, [program, at, lower, way])
      assert.equal(signal, 'SIGKILL', String(stderr))
      assert.deepEqual(fs.readdirSync(join(at, 'diff')), [])
      assert.notDeepEqual(fs.readdirSync(join(at, 'work/phyllo')), [], 'it died in the middle')
      const layers = [layerOf({ big: big() })]
      const upper = await directoryUpper(at, { calls, layers, root: rootOf() })
      assert.deepEqual(fs.readdirSync(join(at, 'work/phyllo')), [])
      const box = createContainerFace(unionOf(layers, upper))
      assert.deepEqual([box.statSync('/big').mode & 0o777, box.readFileSync('/big').length], [0o644, large])
      await box.promises.chmod('/big', 0o600)
      await upper.close()
    }),
  )

// Calls that are begun together, against every order of them on a mount of the kernel.

const few = () => file('abc '.repeat(MiB / 4 + 5))
const scene: TreeNodes = { big: few(), dir: dir({ big: few(), small: file('small'), sub: dir({ big: few() }) }) }
const paths = ['/big', '/dir/big', '/dir/sub/big', '/new', '/dir', '/dir/sub', '/dir/small']

function randomOp(random: Random): Op {
  const path = () => paths[random.int(paths.length)]!
  const made: readonly (() => Op)[] = [
    () => ['chmod', path(), [0o600, 0o711][random.int(2)]!],
    () => ['chown', path(), 1 + random.int(2), 3, true],
    () => ['rename', path(), path(), ''],
    () => ['rename', path(), path(), ''],
    () => ['link', path(), path()],
    () => ['unlink', path()],
    () => ['truncate', path(), 5],
    () => ['mkdir', path(), 0o755],
  ]
  return made[random.int(made.length)]!()
}

async function outcomeLater(box: ContainerFs, [name, ...args]: Op): Promise<unknown> {
  try {
    await (box.promises as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>)[name]!(...args)
    return null
  } catch (error) {
    return { errno: (error as NodeJS.ErrnoException).code }
  }
}

function* orders<T>(all: readonly T[]): Generator<T[]> {
  if (all.length === 0) yield []
  for (const first of all) for (const rest of orders(all.filter(each => each !== first))) yield [first, ...rest]
}

/** Of contents their length and end. Which names are links depends on the way that a directory went. */
function shape(root: TreeNode): unknown {
  const plain = (key: string, value: unknown) => {
    if (key === 'nlink' || key === 'first') return undefined
    return key === 'data' ? [String(value).length, String(value).slice(-9)] : value
  }
  return JSON.parse(JSON.stringify(comparable(root), plain))
}

test('calls at the same time end as some order of them does in the kernel, and it shows our upper as we do', async () => {
  const seed = freshSeed()
  await using kernel = new Kernel()
  for (let at = seed; at < seed + 30; at++) {
    const random = new Random(at)
    const ops = Array.from({ length: 2 + random.int(2) }, () => randomOp(random))
    const waits = ops.map(() => random.int(5))
    await using box = await DirectoryContainer.make(join(kernel.scratch, 'box'), calls, [scene], {
      directoryRename: 'copy',
    })
    const face = createContainerFace(box.union)
    const outcomes = await Promise.all(
      ops.map(async (op, index) => {
        for (let left = waits[index]!; left > 0; left--) await new Promise(setImmediate)
        return outcomeLater(face, op)
      }),
    )
    const what = `seed ${at}: ${JSON.stringify(ops)}`
    const ours = shape(dumpRoot(box.union))
    assert.deepEqual(shape((await box.mounted(kernel)).trees[0]!), ours, what)
    const seen = JSON.stringify([outcomes, ours])
    let found = false
    for (const order of orders([...ops.keys()])) {
      if (found) break
      const mount = ',redirect_dir=on'
      const inOrder = order.map(index => ops[index]!)
      const { results, trees } = await kernel.run({ layers: [scene], ops: inOrder, looks: [ops.length], mount })
      const theirs: unknown[] = []
      for (const [place, index] of order.entries()) theirs[index] = results[place]
      found = JSON.stringify([theirs, shape(trees[0]!)]) === seen
    }
    assert.ok(found, `${what} gave ${seen.slice(0, 300)}`)
  }
})
