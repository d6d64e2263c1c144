/** The job write-tree over directories of layers, as the driver overlay2 has them; names that a file system takes for one. */
import assert from 'node:assert/strict'
import { lstatSync, mkdirSync, readFileSync, realpathSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ByteString, fromText } from '../../src/byte-string.js'
import { PhylloError } from '../../src/errors.js'
import type { WriteTreeInput } from '../../src/pool/jobs.js'
import { Pool } from '../../src/pool/pool.js'
import { NotSetCounter } from '../../src/unpack/not-set.js'
import { PlanBoard } from '../../src/unpack/plan-board.js'
import { treeError } from '../../src/unpack/tree-error.js'
import { type PlannedNode, planLine, planNodes } from '../../src/unpack/tree-plan.js'
import { scratchDir } from '../build/store.js'

const node = (path: string, rest: Partial<PlannedNode> = {}): PlannedNode => ({
  path: fromText(path),
  mode: 0o100644,
  uid: process.geteuid!(),
  gid: process.getegid!(),
  mtimeSec: 1_000_000_000,
  mtimeNsec: 0,
  sizeBytes: 0,
  deviceMajor: 0,
  deviceMinor: 0,
  source: 0,
  inode: 1,
  xattrs: [],
  target: '' as ByteString,
  links: [],
  ...rest,
})

test('a line of the plan says all of a node', () => {
  const nodes = [
    node('', { mode: 0o40755 }),
    node('a "b"\n\u00ff\\', { mtimeSec: -5, mtimeNsec: 999_999_999, sizeBytes: 2 ** 40, source: 3, inode: 7 }),
    node('link', { mode: 0o120777, target: '\xff' as ByteString, links: ['x', '\xfe'] as ByteString[] }),
    node('x', { xattrs: [{ name: fromText('user.n'), value: Buffer.from([0, 255]) }] }),
  ]
  const bytes = Buffer.from(nodes.map(planLine).join(''), 'latin1')
  assert.deepEqual([...planNodes(bytes)], nodes)
  assert.throws(() => [...planNodes(bytes.subarray(0, -1))], RangeError)
})

/** Nodes made in a new directory out of a `diff` directory with these files. */
async function written(t: TestContext, nodes: readonly PlannedNode[], links?: WriteTreeInput['links']) {
  const folder = realpathSync(scratchDir(t))
  const [tree, plan, diff] = [join(folder, 'tree'), join(folder, 'plan'), join(folder, 'diff')]
  mkdirSync(tree)
  mkdirSync(diff)
  writeFileSync(join(diff, 'file'), 'content of it', { mode: 0o600 })
  symlinkSync('file', join(diff, 'symlink'))
  const bytes = Buffer.from(nodes.map(planLine).join(''), 'latin1')
  writeFileSync(plan, bytes)
  const { uid, gid, mode } = statSync(tree)
  await using pool = new Pool({ workers: 0 })
  const output = await pool.run('write-tree', {
    ...{ tree, plan, step: 'nodes', sync: true, born: { uid, gid, modeBits: mode & 0o777 } },
    board: PlanBoard.of([{ from: 0, to: bytes.length }]).shared,
    sources: [{ diff }],
    ...(links && { links }),
  })
  return { tree, diff, output }
}

for (const links of [undefined, 'reflink', 'hardlink'] as const)
  test(`contents out of a directory, ${links ?? 'copied'}`, async t => {
    const { tree, diff, output } = await written(
      t,
      [node('file', { sizeBytes: 13, links: [fromText('again')] })],
      links,
    )
    assert.equal(readFileSync(join(tree, 'file'), 'utf8'), 'content of it')
    assert.equal(lstatSync(join(tree, 'again')).ino, lstatSync(join(tree, 'file')).ino)
    assert.equal(output.entries, 2)
    const same = lstatSync(join(tree, 'file')).ino === lstatSync(join(diff, 'file')).ino
    assert.equal(same, links === 'hardlink')
    // A reflink is one only where the file system of the tests has them
    if (links !== 'reflink') assert.equal(output.shared, links === 'hardlink' ? 1 : 0)
    if (same) return
    assert.equal(output.bytes, output.shared === 0 ? 13 : 0)
    assert.equal(lstatSync(join(tree, 'file')).mode & 0o7777, 0o644)
    assert.equal(lstatSync(join(tree, 'file')).mtimeMs, 1e12)
  })

test('a content that is not there, is shorter, or is behind a symlink is the fault of the store', async t => {
  for (const [path, sizeBytes, code] of [
    ['absent', 1, 'STORE_IO'],
    ['file', 14, 'SIZE_MISMATCH'],
    ['symlink', 13, 'STORE_IO'],
  ] as const)
    await assert.rejects(written(t, [node(path, { sizeBytes })]), { code }, path)
})

test('a name that comes twice is never written over', async t => {
  await assert.rejects(written(t, [node('a/b'), node('a')]), { code: 'OUTPUT_IO', member: '/a/b', errno: 'ENOENT' })
  await assert.rejects(written(t, [node('a'), node('a')]), { code: 'OUTPUT_IO', member: '/a', errno: 'EEXIST' })
})

test('a file system that folds names: both names are told', t => {
  const folder = scratchDir(t)
  const taken = Object.assign(new Error("EEXIST: file already exists, open 'x'"), { code: 'EEXIST', syscall: 'open' })
  for (const [there, wanted, code] of [
    ['README', 'readme', 'NAME_COLLISION'],
    ['Stra\u00dfe', 'STRASSE', 'NAME_COLLISION'],
    ['e\u0301', '\u00e9', 'NAME_COLLISION'],
    ['other', 'name', 'OUTPUT_IO'],
  ] as const) {
    writeFileSync(join(folder, there), '')
    const error = treeError('open', { path: fromText(`usr/${wanted}`), folder }, taken)
    assert.ok(error instanceof PhylloError)
    assert.equal(error.code, code)
    if (code === 'NAME_COLLISION') assert.deepEqual(error.names, [`/usr/${there}`, `/usr/${wanted}`].sort())
  }
})

test('what is not set: the first paths in byte order, however the work was divided', () => {
  const paths = Array.from({ length: 20 }, (_, i) => fromText(`p${String(i).padStart(2, '0')}`))
  const [all, one, two] = [new NotSetCounter(), new NotSetCounter(), new NotSetCounter()]
  for (const [i, path] of [...paths].reverse().entries()) (i % 3 === 0 ? one : two).add('owners', path)
  all.addAll(one.counts)
  all.addAll(two.counts)
  all.add('devices', '\x1b[2J' as ByteString)
  assert.deepEqual(all.report.owners, { count: 20, examples: ['/p00', '/p01', '/p02', '/p03', '/p04'] })
  assert.deepEqual(all.report.devices, { count: 1, examples: ['/\\u001b[2J'] })
  assert.deepEqual(all.report.times, { count: 0, examples: [] })
})
