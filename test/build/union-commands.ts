/**
 * What can be done to a container, as commands for fast-check: each is one or more operations, done by the model and by the
 * container, and their outcomes are compared. None has a precondition, which would hide errors.
 */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { changes } from '../../src/overlay/difference/changes.js'
import { Union } from '../../src/overlay/union/union.js'
import { applyNaively, flatten, withLayer, withoutSockets } from './commit-run.js'
import { dockerChanges } from './docker-changes.js'
import { callFace } from './face-calls.js'
import type { NaiveContainer } from './naive-container.js'
import {
  data,
  directoryModes,
  fileModes,
  newPaths,
  owners,
  pathIn,
  paths,
  targets,
  times,
  xattrNames,
} from './union-arbitraries.js'
import { assertSameUpper, assertSameView, modelOutcome } from './union-compare.js'
import { dumpUnion } from './union-dump.js'
import { layerOf } from './union-run.js'
import type { Op } from './union-sequence.js'
import type { Session } from './union-session.js'

export interface Expected {
  readonly model: NaiveContainer
  /** Names of the commands that ran. */
  readonly ran: Map<string, number>
  done: number
}

type Command = fc.AsyncCommand<Expected, Session>

/** Whole trees are compared after so many commands. */
const every = 3
/** Of a file that a command opens for itself. */
const own = 9

abstract class Named implements Command {
  readonly name: string

  constructor(name: string) {
    this.name = name
  }

  check(_: Expected): boolean {
    return true
  }

  async run(expected: Expected, session: Session): Promise<void> {
    count(expected.ran, this.name)
    await this.act(expected, session)
    if (++expected.done % every === 0) assertSame(expected, session)
  }

  protected abstract act(expected: Expected, session: Session): void | Promise<void>
  abstract toString(): string
}

export function assertSame({ model }: Expected, { union }: Session): void {
  assertSameView(union, model)
  if (!model.copies) assertSameUpper(union, model)
}

/** Does the operations one after the other, until one fails. */
class Calls extends Named {
  readonly #ops: readonly Op[]
  /** With the paths that were meant. */
  #done: Op[] = []

  constructor(name: string, ops: readonly Op[]) {
    super(name)
    this.#ops = ops
  }

  async act({ model, ran }: Expected, session: Session): Promise<void> {
    this.#done = []
    for (const given of this.#ops) {
      const op = given.map(word => (typeof word === 'string' ? pathIn(model, word) : word)) as unknown as Op
      this.#done.push(op)
      // What was opened may have been a directory, of which nothing stays open
      if (op[1] === own && op[0] !== 'hopen' && !model.files.has(own)) return
      const wanted = modelOutcome(model, op)
      assert.deepEqual(callFace(session, op), wanted, JSON.stringify(op))
      await session.stepped()
      const failed = (wanted as { errno?: string } | null)?.errno !== undefined
      count(ran, `${this.name} ${failed ? 'refused' : 'done'}`)
      if (failed && op[1] !== own) return
    }
  }

  toString(): string {
    return `${this.name} ${this.#done.map(op => JSON.stringify(op)).join(' ')}`
  }
}

/** Opens a file, or uses the one that is open under this number. */
class Handle extends Named {
  readonly #open: Op
  readonly #use: Op
  #calls: Calls | undefined

  constructor(open: Op, use: Op) {
    super('Handle')
    this.#open = open
    this.#use = use
  }

  act(expected: Expected, session: Session): Promise<void> {
    const isOpen = expected.model.files.has(this.#open[1] as number)
    this.#calls = new Calls(this.name, [isOpen ? this.#use : this.#open])
    return this.#calls.act(expected, session)
  }

  toString(): string {
    return String(this.#calls)
  }
}

function count(ran: Map<string, number>, what: string): void {
  ran.set(what, (ran.get(what) ?? 0) + 1)
}

class Reopen extends Named {
  readonly #sync: boolean

  constructor(sync: boolean) {
    super('Reopen')
    this.#sync = sync
  }

  async act(expected: Expected, session: Session): Promise<void> {
    closeAll(expected, session)
    await session.reopen(this.#sync)
    assertSame(expected, session)
  }

  toString(): string {
    return this.#sync ? 'Sync, Reopen' : 'Reopen'
  }
}

class Rotate extends Named {
  constructor() {
    super('RotateUpper')
  }

  async act(expected: Expected, session: Session): Promise<void> {
    await rotate(expected, session)
    assertSame(expected, session)
  }

  toString(): string {
    return 'RotateUpper'
  }
}

async function rotate(expected: Expected, session: Session): Promise<void> {
  closeAll(expected, session)
  const before = session.layers.length
  await session.rotate()
  expected.model.rotate()
  // Nothing has changed, but for copies that are as what they were made of: there is no layer
  if (session.layers.length === before) expected.model.trees.splice(1, 1)
}

/** P-15. The upper knows its layers by their places, so it is frozen first. */
class Squash extends Named {
  readonly #at: number

  constructor(at: number) {
    super('SquashLowers')
    this.#at = at
  }

  async act(expected: Expected, session: Session): Promise<void> {
    const { model } = expected
    await rotate(expected, session)
    assertSameView(session.union, model)
    if (session.layers.length < 2) return
    const before = model.dump()
    const at = 1 + (this.#at % (session.layers.length - 1))
    model.squash(at)
    const index = session.layers.length - at
    const layers = [...session.layers]
    layers.splice(index - 1, 2, layerOf(model.tree(at)))
    await session.relayer(layers)
    assertSameView(session.union, model)
    assert.deepEqual(model.dump(), before)
  }

  toString(): string {
    return `SquashLowers ${this.#at}`
  }
}

/** P-01 and P-52. */
class CheckDiff extends Named {
  constructor() {
    super('CheckDiff')
  }

  async act(_: Expected, session: Session): Promise<void> {
    const { union, layers } = session
    const [base, view] = [dumpUnion(new Union(layers, {})), dumpUnion(union)]
    const wanted = withoutSockets(flatten(view))
    await withLayer(
      union,
      committed => {
        const given = committed === undefined ? flatten(base) : applyNaively(flatten(base), committed.tar)
        assert.deepEqual(Object.fromEntries(given), Object.fromEntries(wanted))
        if (committed === undefined) return
        const shown = dumpUnion(new Union([...layers, committed.layer], {}))
        assert.deepEqual(Object.fromEntries(flatten(shown)), Object.fromEntries(wanted))
      },
      await session.layerFiles(),
    )
    const listed = [...changes(union, { style: 'docker' })].map(({ kind, path }) => `${kind} ${path}`)
    assert.deepEqual(listed, dockerChanges(base, view))
  }

  toString(): string {
    return 'CheckDiff'
  }
}

function closeAll({ model }: Expected, session: Session): void {
  for (const number of [...model.files.keys()]) {
    modelOutcome(model, ['hclose', number])
    callFace(session, ['hclose', number])
  }
}

const kinds = fc.constantFrom(0o020000, 0o060000, 0o100000, 0o140000)
const small = fc.nat(6)
const follow = fc.boolean()
const opened = (...hows: string[]) => fc.constantFrom(...hows)

function calls(name: string, ops: fc.Arbitrary<readonly Op[]>): fc.Arbitrary<Command> {
  return ops.map(each => new Calls(name, each))
}

function one<T extends unknown[]>(name: string, call: string, ...args: { [I in keyof T]: fc.Arbitrary<T[I]> }) {
  return calls(
    name,
    fc.tuple(...args).map(values => [[call, ...(values as (string | number | boolean)[])]]),
  )
}

/** Opens, does something and closes. */
function open(
  name: string,
  at: fc.Arbitrary<string>,
  hows: fc.Arbitrary<string>,
  use: fc.Arbitrary<Op>,
): fc.Arbitrary<Command> {
  const ops = fc.tuple(at, hows, fileModes, use)
  return calls(
    name,
    ops.map(([path, how, mode, op]): Op[] => [['hopen', own, path, how, mode], op, ['hclose', own]]),
  )
}

const write = data.map((text): Op => ['hwrite', own, text])
const writeAt = fc.tuple(small, data).map(([at, text]): Op => ['hwriteat', own, text, at])
const uses = fc.oneof(
  { weight: 3, arbitrary: data.map((text): Op => ['hwrite', 0, text]) },
  { weight: 3, arbitrary: fc.constant<Op>(['hread', 0, 0, 20]) },
  { weight: 1, arbitrary: small.map((size): Op => ['htruncate', 0, size]) },
  { weight: 1, arbitrary: fileModes.map((mode): Op => ['hchmod', 0, mode]) },
  { weight: 1, arbitrary: fc.constant<Op>(['hstat', 0]) },
  { weight: 1, arbitrary: fc.constant<Op>(['hclose', 0]) },
)
const handle = fc
  .tuple(fc.nat(2), paths, opened('r', 'w', 'rw', 'w+a', 'rw+c', 'w+c+t', 'r+t'), uses)
  .map(([slot, path, how, [call, , ...rest]]) => new Handle(['hopen', slot, path, how, 0o644], [call, slot, ...rest]))
const xattr = fc.oneof(
  fc.tuple(paths, xattrNames, data).map(([path, name, value]): Op => ['setxattr', path, name, value]),
  fc.tuple(paths, xattrNames).map(([path, name]): Op => ['removexattr', path, name]),
)

const everyday: readonly fc.Arbitrary<Command>[] = [
  one('Mkdir', 'mkdir', newPaths, directoryModes),
  one('Rmdir', 'rmdir', paths),
  one('Unlink', 'unlink', paths),
  open('Create', newPaths, opened('w+c', 'w+c+x', 'w+c+t', 'rw+c', 'w+c+n'), write),
  open('OpenWrite', paths, opened('w', 'w+a', 'rw', 'w+d'), write),
  open('OpenTrunc', paths, opened('w+t', 'r+t', 'rw+t'), write),
  one('OpenRead', 'read', paths),
  open('Pwrite', paths, opened('w', 'rw', 'w+a'), writeAt),
  one('Truncate', 'truncate', paths, small),
  one('Rename', 'rename', paths, newPaths, fc.constant('')),
  one('RenameNoReplace', 'rename', paths, newPaths, fc.constant('noreplace')),
  one('RenameExchange', 'rename', paths, paths, fc.constant('exchange')),
  one('Link', 'link', paths, newPaths),
  one('Symlink', 'symlink', targets, newPaths),
  one('Readlink', 'readlink', paths),
  calls(
    'Mknod',
    fc
      .tuple(newPaths, kinds, fileModes, fc.nat(1), fc.nat(1))
      .map(([path, kind, mode, major, minor]): Op[] => [['mknod', path, kind | mode, major, minor]]),
  ),
  calls(
    'Mkfifo',
    fc.tuple(newPaths, fileModes).map(([path, mode]): Op[] => [['mknod', path, 0o010000 | mode, 0, 0]]),
  ),
  one('Chmod', 'chmod', paths, fileModes),
  one('Chown', 'chown', paths, owners, owners, follow),
  one('Utimes', 'utimes', paths, times, follow),
  calls(
    'SetXattr',
    xattr.map(op => [op]),
  ),
  one('Lstat', 'look', paths, follow),
  one('Readdir', 'readdir', paths),
  handle,
]

/** All but the last of the thirty: a look at the kernel needs a kernel (union-kernel.system.test.ts). */
export const commands: readonly fc.Arbitrary<Command>[] = [
  // These come three times as often as those that end much at once
  ...everyday,
  ...everyday,
  ...everyday,
  one('RmRf', 'rmrf', paths),
  fc.boolean().map(sync => new Reopen(sync)),
  fc.constant(new Rotate()),
  fc.nat(3).map(at => new Squash(at)),
  fc.constant(new CheckDiff()),
]
