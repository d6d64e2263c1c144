/** The layer of a container's changes, on the layers that it was made over, shows what the container shows. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ByteString } from '../../src/byte-string.js'
import { changes } from '../../src/overlay/difference/changes.js'
import { Union } from '../../src/overlay/union/union.js'
import { applyNaively, flatten, linkGroups, withLayer, withoutSockets } from '../build/commit-run.js'
import { memoryUpper } from '../build/memory-upper.js'
import { scan } from '../build/scan.js'
import { dir, file } from '../build/tree-literals.js'
import { dumpUnion } from '../build/union-dump.js'
import { layerOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { type Op, type Sequence, sequence, type TreeNodes } from '../build/union-sequence.js'

const seconds = 1_000_000_000

function plain(tree: TreeNodes, directoryRename: 'copy' | 'exdev' = 'copy'): Union {
  return unionOf([layerOf(tree)], memoryUpper(rootOf()), { directoryRename })
}

/** Names in the tar of what a union has changed; a hard link with its target. */
function namesOf(union: Union): Promise<string[]> {
  return withLayer(union, committed =>
    committed === undefined
      ? []
      : scan(committed.tar).map(({ name, type, linkName }) => (type === 'hardlink' ? `${name} = ${linkName}` : name)),
  )
}

async function check({ seed, layers, ops }: Sequence, directoryRename: 'copy' | 'exdev'): Promise<number> {
  const note = `seed ${seed}, ${directoryRename}`
  const lowers = layers.map(layerOf)
  const union = unionOf(lowers, memoryUpper(rootOf()), { directoryRename })
  runAll(union, ops)
  const view = dumpUnion(union)
  const base = flatten(dumpUnion(new Union(lowers, {})))
  const expected = withoutSockets(flatten(view))
  return withLayer(union, committed => {
    if (committed === undefined) {
      assert.deepEqual(base, expected, `${note}: no layer`)
      assert.deepEqual([...changes(union, { style: 'minimal' })].length, 0, note)
      return 0
    }
    const { tar, layer } = committed
    assertOrder(tar, note)
    // P-01 with the naive reader, P-05 with ours
    assert.deepEqual(sorted(applyNaively(base, tar)), sorted(expected), `${note}: naively`)
    const after = dumpUnion(new Union([...lowers, layer], {}))
    assert.deepEqual(sorted(flatten(after)), sorted(expected), `${note}: a view`)
    const ours = linkGroups(after)
    if (directoryRename === 'exdev') assert.deepEqual(ours, withoutSocketLinks(linkGroups(view), expected), note)
    return scan(tar).length
  })
}

const sorted = (flat: ReadonlyMap<string, unknown>) => [...flat].sort(([a], [b]) => (a < b ? -1 : 1))

function withoutSocketLinks(groups: readonly string[], there: ReadonlyMap<string, unknown>): string[] {
  return groups.filter(names => there.has(names.split(' ')[0]!))
}

/** P-61: parents before children, targets before links, no path twice, whiteouts before all else in their directory. */
function assertOrder(tar: Buffer, note: string): void {
  const seen = new Set<string>([''])
  let last: { dir: string; whiteout: boolean } | undefined
  for (const { name, type, linkName, xattrs } of scan(tar)) {
    const path = name.replace(/\/$/, '')
    const directory = path.slice(0, Math.max(0, path.lastIndexOf('/')))
    assert.ok(seen.has(directory), `${note}: ${name} before its directory`)
    assert.ok(!seen.has(path), `${note}: ${name} twice`)
    if (type === 'hardlink') assert.ok(seen.has(linkName), `${note}: ${name} before ${linkName}`)
    assert.equal(type === 'directory', name.endsWith('/'), note)
    assert.ok(!xattrs.some(xattr => xattr.name.includes('.overlay.')), note)
    const whiteout = /(?:^|\/)\.wh\.[^/]*$/.test(path)
    if (whiteout && last?.dir === directory) assert.ok(last.whiteout, `${note}: the whiteout ${name} late`)
    last = type === 'directory' ? undefined : { dir: directory, whiteout }
    seen.add(path)
  }
}

test('P-01, P-61: 60 random sequences, each with both kinds of directory renames', async t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  let entries = 0
  for (let seed = first; seed < first + 60; seed++)
    for (const how of ['exdev', 'copy'] as const) entries += await check(sequence(seed, 40, 4), how)
  assert.ok(entries > 500, `${entries} entries`)
})

test('P-46: equal changes give equal bytes, whatever way led to them', async () => {
  const base = { d: dir({ a: file('a'), b: file('b') }) }
  const touch: Op[] = [
    ['utimes', '/d', 5 * seconds, true],
    ['utimes', '/d/n', 5 * seconds, true],
  ]
  const one = plain(base)
  runAll(one, [['open', '/d/n', 'w+c', 0o644, 'new'], ['unlink', '/d/a'], ...touch])
  const other = plain(base)
  const way: Op[] = [
    ['unlink', '/d/a'],
    ['open', '/d/a', 'w+c', 0o600, 'again'],
    ['unlink', '/d/a'],
    ['open', '/d/m', 'w+c', 0o600, 'new'],
    ['chmod', '/d/m', 0o644],
    ['rename', '/d/m', '/d/n'],
    ['open', '/d/b', 'w', 0, ''],
  ]
  runAll(other, [...way, ...touch])
  const tarOf = (union: Union) => withLayer(union, committed => committed!.tar)
  assert.deepEqual(await tarOf(one), await tarOf(other))
  assert.deepEqual(await namesOf(one), ['d/', 'd/.wh.a', 'd/n'])
})

test('no change, no layer: copy-ups alone are none, and neither is what came and went in the root', async () => {
  const union = plain({ f: file('f'), d: dir({ g: file() }) })
  runAll(union, [
    ['open', '/f', 'w', 0, ''],
    ['open', '/n', 'w+c', 0o644, 'n'],
    ['unlink', '/n'],
    ['open', '/d/g', 'rw', 0, ''],
  ])
  assert.equal(await withLayer(union, committed => committed), undefined)
})

test('a directory that was made anew: its header, the opaque mark, what is in it', async () => {
  const union = plain({ d: dir({ a: file(), e: dir({ x: file() }) }), empty: dir() })
  const ops: Op[] = [
    ['unlink', '/d/a'],
    ['unlink', '/d/e/x'],
    ['rmdir', '/d/e'],
    ['rmdir', '/d'],
    ['mkdir', '/d', 0o755],
    ['open', '/d/n', 'w+c', 0o644, ''],
    ['rmdir', '/empty'],
    ['mkdir', '/empty', 0o755],
  ]
  runAll(union, ops)
  assert.deepEqual(await namesOf(union), ['d/', 'd/.wh..wh..opq', 'd/n', 'empty/'])
})

test('a renamed directory is written out under its new name, with what the upper says of it', async () => {
  const union = plain({ d: dir({ a: file('a'), b: file('b'), e: dir({ x: file('x') }) }), t: dir() })
  runAll(union, [
    ['unlink', '/d/b'],
    ['rename', '/d', '/t/z'],
  ])
  assert.deepEqual(await namesOf(union), ['.wh.d', 't/', 't/z/', 't/z/a', 't/z/e/', 't/z/e/x'])
})

test('names of one inode are links to the first of them, in the upper and in a renamed directory', async () => {
  const union = plain({ d: dir({ a: file('a'), b: { t: 'f', link: 'd/a' } }), f: file() })
  runAll(union, [
    ['link', '/f', '/e'],
    ['rename', '/d', '/r'],
  ])
  assert.deepEqual(await namesOf(union), ['.wh.d', 'e', 'f = e', 'r/', 'r/a', 'r/b = r/a'])
})

test('a copied-up name of a lower inode with other names is written: the container shows it apart', async () => {
  const union = plain({ a: file('a'), b: { t: 'f', link: 'a' } })
  runAll(union, [['open', '/a', 'w', 0, '']])
  assert.deepEqual(await namesOf(union), ['a'])
})

test('C-25: a name too long for a whiteout makes its directory opaque, and is refused in the root', async () => {
  const [longest, tooLong] = ['l'.repeat(251), 't'.repeat(252)]
  const union = plain({ d: dir({ [longest]: file(), [tooLong]: file(), kept: file('k'), e: dir({ x: file() }) }) })
  runAll(union, [['unlink', `/d/${longest}`]])
  assert.deepEqual(await namesOf(union), ['d/', `d/.wh.${longest}`])
  runAll(union, [['unlink', `/d/${tooLong}`]])
  assert.deepEqual(await namesOf(union), ['d/', 'd/.wh..wh..opq', 'd/e/', 'd/e/x', 'd/kept'])
  const root = plain({ [tooLong]: file() })
  runAll(root, [['unlink', `/${tooLong}`]])
  await assert.rejects(namesOf(root), { code: 'WHITEOUT_INVALID' })
})

test('names of whiteouts are refused, naming the path', async () => {
  const union = plain({ d: dir() })
  runAll(union, [['open', '/d/.wh.x', 'w+c', 0o644, '']])
  await assert.rejects(namesOf(union), { code: 'WHITEOUT_INVALID', message: /^d\/\.wh\.x: / })
})

test('sockets are left out with a warning; what they replaced is gone', async () => {
  const union = plain({ f: file() })
  runAll(union, [
    ['mknod', '/s', 0o140644, 0, 0],
    ['unlink', '/f'],
    ['mknod', '/f', 0o140644, 0, 0],
  ])
  await withLayer(union, committed => {
    assert.deepEqual(
      scan(committed!.tar).map(({ name }) => name),
      ['.wh.f'],
    )
    assert.deepEqual(
      committed!.warnings.map(warning => warning.split(':')[0]),
      ['f', 's'],
    )
  })
})

test("overlayfs's own xattrs, and those that no tar can hold, are left out", async () => {
  const union = plain({ f: file('f') })
  runAll(union, [
    ['setxattr', '/f', 'user.kept', 'v'],
    ['setxattr', '/f', 'trusted.overlay.opaque', 'y'],
    ['setxattr', '/f', 'user.a=b', 'v'],
  ])
  await withLayer(union, committed => {
    const [entry] = scan(committed!.tar)
    assert.deepEqual(
      entry!.xattrs.map(({ name, value }) => [name, value.toString()]),
      [['user.kept', 'v']],
    )
    assert.match(committed!.warnings.join(), /user\.a=b/)
  })
})

test('the plan is that of the moment at which it was asked for', async () => {
  const union = plain({ f: file('f') })
  for (let n = 0; n < 200; n++) runAll(union, [['open', `/n${n}`, 'w+c', 0o644, 'x'.repeat(n)]])
  const names = namesOf(union)
  runAll(union, [
    ['chmod', '/n150', 0o600],
    ['rename', '/n199', '/zzz'],
    ['unlink', '/n180'],
    ['open', '/later', 'w+c', 0o644, ''],
  ])
  const found = await names
  assert.equal(found.length, 200)
  assert.ok(found.includes('n199') && found.includes('n180') && !found.includes('later'))
})

test('contents below are read by the job from the layer files themselves', async () => {
  const base = plain({})
  const content = 'content of the layer '.repeat(20_000)
  runAll(base, [
    ['mkdir', '/d', 0o755],
    ['open', '/d/large', 'w+c', 0o644, content],
    ['open', '/d/small', 'w+c', 0o644, 'small'],
  ])
  await withLayer(base, async committed => {
    const { layer, path } = committed!
    const union = unionOf([layer], memoryUpper(rootOf()), { directoryRename: 'copy' })
    runAll(union, [
      ['rename', '/d', '/e'],
      ['chmod', '/e/large', 0o600],
    ])
    await withLayer(
      union,
      second => {
        const large = scan(second!.tar).find(({ name }) => name === 'e/large')!
        const { contentOffset, sizeBytes } = large
        assert.equal(second!.tar.toString('latin1', contentOffset, contentOffset + sizeBytes), content)
      },
      new Map([[layer, path]]),
    )
  })
})

test('P-53: a commit over a commit is the two together', async () => {
  const union = plain({ d: dir({ a: file('a') }), f: file('f') })
  runAll(union, [
    ['rename', '/d', '/e'],
    ['unlink', '/f'],
  ])
  await withLayer(union, async first => {
    const over = unionOf([...union.lowers].reverse().concat(first!.layer), memoryUpper(rootOf()), {})
    runAll(over, [
      ['unlink', '/e/a'],
      ['open', '/f' as ByteString, 'w+c', 0o600, 'f2'],
    ])
    await withLayer(over, second => {
      const base = flatten(dumpUnion(new Union(union.lowers, {})))
      const twice = applyNaively(applyNaively(base, first!.tar), second!.tar)
      assert.deepEqual(sorted(twice), sorted(flatten(dumpUnion(over))))
    })
  })
})
