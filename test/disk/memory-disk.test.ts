/** The disk in memory, on which every order of steps is tried, does what a real file system does. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { type Io, nodeIo } from '../../src/disk/io.js'
import { PhylloError } from '../../src/errors.js'
import { atOnce, MemoryDisk } from '../build/memory-disk.js'

const path = fc.constantFrom('/s', '/t', '/s/a', '/s/b', '/t/a', '/s/a/x', '/s/b/x', '/t/a/x')
const command = fc.oneof(
  fc.tuple(fc.constantFrom('mkdir', 'writeNew', 'unlink', 'readdir', 'readFile', 'status'), path, path),
  fc.tuple(fc.constantFrom('rename', 'link'), path, path),
)

async function outcome(
  io: Io,
  root: string,
  [call, first, second]: readonly [string, string, string],
): Promise<unknown> {
  const [from, to] = [root + first, root + second]
  const calls: Record<string, () => Promise<unknown>> = {
    mkdir: () => io.mkdir(from, 0o700),
    writeNew: () => io.writeNew(from, first, 0o600, false),
    unlink: () => io.unlink(from),
    readdir: async () => (await io.readdir(from)).sort(),
    readFile: async () => (await io.readFile(from, 100)).toString(),
    status: async () => (await io.status(from)).type,
    rename: () => io.rename(from, to),
    link: () => io.link(from, to),
  }
  try {
    return await calls[call]!()
  } catch (error) {
    assert.ok(error instanceof PhylloError, String(error))
    return error.errno
  }
}

/** A store never links a directory, and never renames a thing onto another kind of thing, or onto or into itself. */
async function isUnusual(io: Io, root: string, [call, from, to]: readonly [string, string, string]): Promise<boolean> {
  if (call !== 'rename' && call !== 'link') return false
  const [kind, there] = await Promise.all([from, to].map(path => outcome(io, root, ['status', path, path])))
  if (call === 'link') return kind === 'directory'
  return `${to}/`.startsWith(`${from}/`) || `${from}/`.startsWith(`${to}/`) || (there !== 'ENOENT' && kind !== there)
}

const namesOfError = ['ENOENT', 'EEXIST', 'ENOTEMPTY']

type Command = readonly [call: string, first: string, second: string]

/** Runs the same on both, in a new folder below `root`. */
async function compare(root: string, commands: readonly Command[]): Promise<void> {
  mkdirSync(root)
  const memory = new MemoryDisk().io('one', atOnce)
  await memory.mkdirAll(root)
  for (const each of [['mkdir', '/s', '/s'] as const, ['mkdir', '/t', '/t'] as const, ...commands]) {
    if (await isUnusual(memory, root, each)) continue
    const [real, ours] = [await outcome(nodeIo, root, each), await outcome(memory, root, each)]
    // ENOTDIR, EISDIR, EPERM: what a store never meets; that both fail is enough.
    if (typeof real === 'string' && /^E/.test(real) && !namesOfError.includes(real)) assert.match(String(ours), /^E/)
    else assert.deepEqual(ours, real, each.join(' '))
  }
}

function newFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-memory-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

test('the same calls have the same outcome in memory and on disk', async t => {
  const folder = newFolder(t)
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 5, maxLength: 40 }), commands =>
      compare(join(folder, String(runs++)), commands),
    ),
    { numRuns: 150 },
  )
})

test('renaming one name of a file to another of the same keeps both', t =>
  compare(join(newFolder(t), 'one'), [
    ['writeNew', '/s/b', '/s/b'],
    ['link', '/s/b', '/t/a'],
    ['rename', '/t/a', '/s/b'],
    ['readdir', '/t', '/t'],
    ['readdir', '/s', '/s'],
  ]))
