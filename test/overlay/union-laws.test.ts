/** Laws of what calls do to what a container shows, over random containers. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { memoryUpper } from '../build/memory-upper.js'
import { Random } from '../build/random-tar.js'
import { at, mapped, Reached, reach, timeless } from '../build/reached.js'
import { layerOf, outcomeOf, rootOf, runAll, unionOf } from '../build/union-run.js'
import { type Op, sequence, type TreeNode, type TreeNodes } from '../build/union-sequence.js'

const numRuns = Number(process.env.PHYLLO_RUNS ?? 40)

type Made = ReturnType<typeof reach>

function law(name: string, check: (made: Made, path: string, node: TreeNode) => void, kinds = 'fdlpcb'): void {
  test(name, () =>
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom('exdev' as const, 'copy' as const), (seed, directoryRename) => {
        const made = reach(seed, directoryRename)
        const there = made.reached.paths().filter(([, { t }]) => kinds.includes(t))
        if (there.length > 0) check(made, ...made.random.pick(there))
      }),
      { numRuns },
    ),
  )
}

const reads = (path: string): Op[] => [
  ['stat', path, true],
  ['stat', path, false],
  ['readdir', path],
  ['readlink', path],
  ['read', path],
]

test('P-21: reading in between changes nothing that comes later', () => {
  fc.assert(
    fc.property(fc.nat(), seed => {
      const { layers, ops } = sequence(seed, 30)
      const random = new Random(seed)
      const [quiet, curious] = [0, 1].map(() => new Reached(unionOf(layers.map(layerOf), memoryUpper(rootOf()))))
      for (const op of ops) {
        const path = String(random.pick(ops)[1])
        for (const read of reads(path)) if (random.chance(0.5)) curious!.do(...read)
        assert.deepEqual(outcomeOf(curious!.union, op), outcomeOf(quiet!.union, op))
      }
      assert.deepEqual(curious!.view(), quiet!.view())
      assert.deepEqual(curious!.upper(), quiet!.upper())
    }),
    { numRuns },
  )
})

test('P-23, P-47: what fails has changed nothing, in the view or in the upper, and fails again', () => {
  let failed = 0
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom('exdev' as const, 'copy' as const), (seed, directoryRename) => {
      const { reached, random } = reach(seed, directoryRename)
      let [view, upper] = [reached.view(), reached.upper()]
      for (const op of sequence(random.int(1e6), 30).ops) {
        const outcome = outcomeOf(reached.union, op)
        if ((outcome as { errno?: string } | null)?.errno !== undefined) {
          failed++
          assert.deepEqual([reached.view(), reached.upper()], [view, upper], JSON.stringify(op))
          assert.deepEqual(outcomeOf(reached.union, op), outcome)
        }
        ;[view, upper] = [reached.view(), reached.upper()]
      }
    }),
    { numRuns: numRuns / 2 },
  )
  assert.ok(failed > 30, `${failed} failures`)
})

law('P-25: copying up shows nothing, and a second time does nothing', ({ reached }, path, { mode = 0, t }) => {
  const copyUp: Op = t === 'f' ? ['open', path, 'w', 0, ''] : ['chmod', path, mode]
  const view = reached.view()
  if (t !== 'l') assert.equal(reached.do(...copyUp), 'ok')
  assert.deepEqual(reached.view(), view)
  const upper = reached.upper()
  if (t !== 'l') reached.do(...copyUp)
  assert.deepEqual(reached.upper(), upper)
})

law(
  'P-26: what was copied up is as it was below: type, mode, owner, time, xattrs, target, numbers, bytes',
  (made, path) => {
    const { reached } = made
    const before = at(reached.view(), path)
    if (before!.t === 'f') reached.do('open', path, 'w', 0, '')
    else assert.equal(reached.do('link', path, '/linked'), 'ok')
    const { link, ...held } = at(reached.upper(), path)!
    // Of two names in the upper the second one says where the first is
    assert.deepEqual(link === undefined ? held : at(reached.upper(), link), before)
  },
  'flpcb',
)

law(
  'P-30, P-31: made and removed, it has not been: mkdir, create, symlink, mknod',
  ({ reached }, path) => {
    const [name, made] = [`${path}/fresh`, (op: Op, undo: Op) => [op, undo] as const]
    // What only brings the directory up is not the matter
    reached.do('chmod', path, at(reached.view(), path)!.mode!)
    for (const [op, undo] of [
      made(['mkdir', name, 0o755], ['rmdir', name]),
      made(['open', name, 'w+c', 0o644, 'x'], ['unlink', name]),
      made(['symlink', 'x', name], ['unlink', name]),
      made(['mknod', name, 0o10644, 0, 0], ['unlink', name]),
    ]) {
      const before = [timeless(reached.view()), timeless(reached.upper())]
      assert.deepEqual([reached.do(...op), reached.do(...undo)], ['ok', 'ok'], JSON.stringify(op))
      assert.deepEqual([timeless(reached.view()), timeless(reached.upper())], before)
    }
  },
  'd',
)

law('P-32: renamed and renamed back, it is as it was', ({ reached }, path) => {
  const before = timeless(reached.view())
  if (reached.do('rename', path, '/away', '') !== 'ok') return
  assert.equal(reached.do('rename', '/away', path, ''), 'ok')
  assert.deepEqual(timeless(reached.view()), before)
})

law(
  'P-33: rename is link and unlink, but for directories',
  ({ layers, ops, reached }, path) => {
    const other = new Reached(unionOf(layers.map(layerOf), memoryUpper(rootOf())))
    const { directoryRename } = reached.union
    Object.assign(other.union, { directoryRename })
    runAll(other.union, ops)
    assert.equal(reached.do('rename', path, '/target', ''), 'ok')
    assert.deepEqual([other.do('link', path, '/target'), other.do('unlink', path)], ['ok', 'ok'])
    assert.deepEqual(timeless(other.view()), timeless(reached.view()))
    assert.deepEqual(timeless(other.upper()), timeless(reached.upper()))
  },
  'flpcb',
)

law(
  'P-34: a link is one name more of the same file, and unlink one less',
  ({ reached }, path) => {
    const { box } = reached
    reached.do('open', path, 'w', 0, '')
    const before = box.lstatSync(path).nlink
    assert.equal(reached.do('link', path, '/more'), 'ok')
    assert.deepEqual([box.lstatSync(path).nlink, box.lstatSync('/more').nlink], [before + 1, before + 1])
    assert.equal(box.lstatSync(path).ino, box.lstatSync('/more').ino)
    box.writeFileSync('/more', 'through the other name')
    assert.equal(box.readFileSync(path, 'utf8'), 'through the other name')
    assert.equal(reached.do('unlink', '/more'), 'ok')
    assert.equal(box.lstatSync(path).nlink, before)
  },
  'f',
)

law(
  'P-35: copying up keeps the inode number of what has one name, and nobody else’s changes',
  ({ reached }, path) => {
    const numbers = () => new Map(reached.paths().map(([each]) => [each, reached.box.lstatSync(each).ino]))
    const before = numbers()
    const { nlink } = reached.box.lstatSync(path)
    assert.equal(reached.do('chmod', path, 0o600), 'ok')
    const after = numbers()
    for (const [each, number] of before) if (each !== path || nlink === 1) assert.equal(after.get(each), number, each)
  },
  'fpcb',
)

law(
  'P-36: a renamed directory takes along all that it shows, and nothing else is there',
  ({ reached }, path) => {
    const before = reached.view()
    if (reached.do('rename', path, '/target', '') !== 'ok') return
    assert.deepEqual(at(reached.view(), '/target')!.children, at(before, path)!.children)
    assert.equal(at(reached.view(), path), undefined)
  },
  'd',
)

law(
  'P-38, P-39: what was written is read, the rest is as it was, gaps are zeros; truncate keeps what is before',
  (made, path) => {
    const { reached, random } = made
    const { box } = reached
    let expected = box.readFileSync(path)
    const fd = box.openSync(path, 'r+')
    for (let step = 0; step < 6; step++) {
      const [position, length] = [random.int(40), random.int(30)]
      if (random.chance(0.5)) {
        const bytes = random.bytes(length)
        const grown = Buffer.alloc(length === 0 ? expected.length : Math.max(expected.length, position + length))
        expected.copy(grown)
        bytes.copy(grown, position)
        expected = grown
        box.writeSync(fd, bytes, 0, length, position)
      } else {
        expected = Buffer.concat([
          expected.subarray(0, position),
          Buffer.alloc(Math.max(0, position - expected.length)),
        ])
        box.ftruncateSync(fd, position)
      }
      assert.deepEqual(box.readFileSync(path), expected)
      assert.equal(box.fstatSync(fd).size, expected.length)
    }
    box.closeSync(fd)
  },
  'f',
)

law(
  'P-40: what was set is what is got, setting it again changes nothing, and nothing else has changed',
  (made, path) => {
    const { reached } = made
    const setters: readonly (readonly [Op, Partial<TreeNode>])[] = [
      [['chmod', path, 0o4751], { mode: 0o4751 }],
      [['utimes', path, 1_234_567_890e9, true], { mtime: 1_234_567_890e9 }],
      [['setxattr', path, 'trusted.law', 'v'], {}],
      [['chown', path, 12, 34, true], { uid: 12, gid: 34 }],
    ]
    for (const [op, change] of setters) {
      const { [path]: before, ...others } = Object.fromEntries(reached.paths())
      assert.equal(reached.do(...op), 'ok')
      const { [path]: after, ...same } = Object.fromEntries(reached.paths())
      const mode = op[0] === 'chown' && after!.t !== 'd' ? { mode: before!.mode! & ~0o4000 } : {}
      const xattrs = op[0] === 'setxattr' ? { xattrs: { ...before!.xattrs, 'trusted.law': 'v' } } : {}
      assert.deepEqual({ ...after, children: 0 }, { ...before, ...change, ...mode, ...xattrs, children: 0 })
      assert.deepEqual(Object.keys(same), Object.keys(others))
      const upper = reached.upper()
      assert.equal(reached.do(...op), 'ok')
      assert.deepEqual(reached.upper(), upper)
    }
  },
  'fdpcb',
)

test('P-42: no path, and no link, leads to the host: a file there is neither read nor written', () => {
  const root = mkdtempSync(join(tmpdir(), 'phyllo-canary-'))
  try {
    const canary = join(root, 'canary')
    writeFileSync(canary, 'alive')
    const links = { abs: canary, up: `${'../'.repeat(20)}${canary}`, dir: root }
    const tree = Object.fromEntries(Object.entries(links).map(([name, target]) => [name, { t: 'l', target } as const]))
    const reached = new Reached(unionOf([layerOf(tree)], memoryUpper(rootOf())))
    const { box } = reached
    for (const path of ['/abs', '/up', '/dir/canary', canary, `/../../..${canary}`]) {
      assert.throws(() => box.readFileSync(path), { code: 'ENOENT' })
      assert.throws(() => box.writeFileSync(path, 'dead'), { code: 'ENOENT' })
      const ops: Op[] = [
        ['unlink', path],
        ['rename', path, '/x', ''],
        ['chmod', path, 0],
      ]
      for (const op of ops) if (!['/abs', '/up'].includes(path)) assert.equal(reached.do(...op), 'ENOENT')
    }
    box.mkdirSync(root, { recursive: true })
    for (const path of ['/abs', '/up']) box.writeFileSync(path, 'of the container')
    assert.deepEqual([readFileSync(canary, 'utf8'), readdirSync(root)], ['alive', ['canary']])
    assert.equal(box.readFileSync('/dir/canary', 'utf8'), 'of the container')
  } finally {
    rmSync(root, { recursive: true })
  }
})

/** Without links, which lead elsewhere. */
const linkless = (tree: TreeNodes): TreeNodes =>
  mapped(tree, node => (node.t === 'l' || node.link !== undefined ? { t: 'f', mode: 0o600, data: 'l' } : node))

test('P-45: what is done in two directories apart gives the same in any order', () => {
  fc.assert(
    fc.property(fc.nat(), seed => {
      const { layers } = sequence(seed, 0)
      const common = layers.map(tree => ({
        top: { t: 'd', mode: 0o755, children: { one: inside(linkless(tree)), other: inside(linkless(tree)) } } as const,
      }))
      const [one, other] = ['one', 'other'].map((name, i) =>
        sequence(seed + i, 20)
          .ops.filter(([call]) => call !== 'symlink')
          .map(op => below(`/top/${name}`, op)),
      ) as [Op[], Op[]]
      const mixed = one.flatMap((op, i) => [op, ...other.slice(i, i + 1)]).concat(other.slice(one.length))
      const ended = [[...one, ...other], [...other, ...one], mixed].map(ops => {
        const reached = new Reached(unionOf(common.map(layerOf), memoryUpper(rootOf())))
        runAll(reached.union, ops)
        return [reached.view(), reached.upper()]
      })
      assert.deepEqual(ended[1], ended[0])
      assert.deepEqual(ended[2], ended[0])
    }),
    { numRuns },
  )
})

const inside = (children: TreeNodes) => ({ t: 'd', mode: 0o755, children }) as const

/** The operation with its paths below a directory, and no way out of it. */
function below(directory: string, op: Op): Op {
  return op.map(word =>
    typeof word === 'string' && word.startsWith('/') ? directory + word.replaceAll('/..', '/a') : word,
  ) as unknown as Op
}

const alphabets: readonly Readonly<Record<string, string>>[] = [
  { a: 'b', b: 'c', c: 'd', d: 'a' },
  { a: 'constructor', b: '.wh.x', c: '\xff\xfe', d: 'n'.repeat(255) },
  { a: '.wh..wh..opq', b: 'a b\n', c: '...', d: '#1' },
]

test('P-75: other names, and all goes the same way: no name means anything', () => {
  fc.assert(
    fc.property(fc.nat(), fc.constantFrom(...alphabets), (seed, alphabet) => {
      const { layers, ops } = sequence(seed, 40)
      const plain = new Reached(unionOf(layers.map(layerOf), memoryUpper(rootOf())))
      const other = new Reached(
        unionOf(
          layers.map(tree => layerOf(renamed(tree, alphabet))),
          memoryUpper(rootOf()),
        ),
      )
      for (const op of ops) {
        const outcome = outcomeOf(plain.union, op)
        const found = outcomeOf(other.union, spelt(op, alphabet))
        if (op[0] === 'readdir' && Array.isArray(outcome))
          assert.deepEqual([...(found as string[])].sort(), outcome.map(name => alphabet[name]!).sort())
        else if (op[0] === 'readlink' && typeof outcome === 'string') assert.equal(found, word(outcome, alphabet))
        else assert.deepEqual(found, outcome, JSON.stringify(op))
      }
      assert.deepEqual(other.view(), renamed(plain.view(), alphabet))
    }),
    { numRuns },
  )
})

const word = (path: string, alphabet: Readonly<Record<string, string>>) =>
  path
    .split('/')
    .map(name => alphabet[name] ?? name)
    .join('/')

function renamed(tree: TreeNodes, alphabet: Readonly<Record<string, string>>): TreeNodes {
  return Object.fromEntries(
    Object.entries(tree).map(([name, { children, ...node }]) => [
      alphabet[name],
      {
        ...node,
        ...(node.target !== undefined && { target: word(node.target, alphabet) }),
        ...(node.link !== undefined && { link: word(node.link, alphabet) }),
        ...(children && { children: renamed(children, alphabet) }),
      },
    ]),
  )
}

function spelt([call, ...words]: Op, alphabet: Readonly<Record<string, string>>): Op {
  const isPath = (at: number) => at === 0 || (at === 1 && ['rename', 'link', 'symlink'].includes(call))
  return [call, ...words.map((each, i) => (isPath(i) ? word(String(each), alphabet) : each))]
}

test('P-76: a call looks at each layer once for each name on its way, and at nothing below a directory', () => {
  const many = Object.fromEntries(
    Array.from({ length: 500 }, (_, n) => [`f${n}`, { t: 'f', mode: 0o644, data: 'x' } as const]),
  )
  const tree = (): TreeNodes => ({ d: inside({ e: inside(many), g: { t: 'f', mode: 0o644, data: 'g' } }) })
  const ops: readonly Op[] = [
    ['chmod', '/d/e', 0o700],
    ['open', '/d/g', 'w', 0, 'x'],
    ['unlink', '/d/e/f7'],
    ['mkdir', '/d/e/new', 0o755],
    ['rename', '/d/e', '/d/moved', ''],
    ['rename', '/d', '/away', ''],
    ['rmrf', '/away'],
  ]
  for (const count of [1, 3, 9]) {
    const layers = Array.from({ length: count }, () => layerOf(tree()))
    const reached = new Reached(unionOf(layers, memoryUpper(rootOf()), { directoryRename: 'copy' }))
    for (const op of ops) {
      const before = layers.map(({ calls }) => ({ ...calls }))
      assert.equal(reached.do(...op), 'ok')
      for (const [i, { calls }] of layers.entries()) {
        assert.ok(calls.lookup - before[i]!.lookup <= 12, `${op}: ${calls.lookup - before[i]!.lookup} lookups`)
        assert.ok(calls.list - before[i]!.list <= 1, `${op}: ${calls.list - before[i]!.list} listings`)
      }
    }
  }
})
