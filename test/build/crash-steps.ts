/**
 * Changes of a container, each of them one call that either happens or does not, and naively what there is after each:
 * a container that died shows what there was after some number of them.
 */
import type { Container } from '../../src/index.js'
import { noise } from './crash-images.js'

interface Step {
  readonly apply: (box: Container) => void
  readonly expect: (state: Map<string, string>) => void
}

export type ContainerState = ReadonlyMap<string, string>

/** Of more than a small file's size, so that it is a file of its own. */
const large = noise(100_000, 7).toString('latin1')

function create(path: string): Step {
  return {
    apply: box => box.closeSync(box.openSync(path, 'wx')),
    expect: state => void state.set(path, ''),
  }
}

function append(path: string, text: string): Step {
  return {
    apply: box => {
      const fd = box.openSync(path, 'r+')
      box.writeSync(fd, Buffer.from(text, 'latin1'), 0, text.length, box.fstatSync(fd).size)
      box.closeSync(fd)
    },
    expect: state => void state.set(path, (state.get(path) ?? '') + text),
  }
}

function rename(from: string, to: string): Step {
  return {
    apply: box => box.renameSync(from, to),
    expect: state => {
      state.set(to, state.get(from)!)
      state.delete(from)
    },
  }
}

const unlink = (path: string): Step => ({
  apply: box => box.unlinkSync(path),
  expect: state => void state.delete(path),
})

const mkdir = (path: string): Step => ({
  apply: box => box.mkdirSync(path),
  expect: state => void state.set(path, '/'),
})

const truncate = (path: string, length: number): Step => ({
  apply: box => box.truncateSync(path, length),
  expect: state => void state.set(path, state.get(path)!.slice(0, length)),
})

/** Over image `a` of crash-images.ts. */
export const containerSteps: readonly Step[] = [
  mkdir('/work'),
  create('/work/one'),
  append('/work/one', 'first'),
  append('/etc/motd', 'more\n'),
  unlink('/usr/lib/3'),
  create('/usr/lib/3'),
  append('/usr/lib/3', 'new'),
  rename('/work/one', '/work/two'),
  create('/work/large'),
  append('/work/large', large),
  rename('/work/large', '/etc/large'),
  append('/usr/lib/7', large),
  truncate('/usr/lib/7', 50_000),
  unlink('/a'),
  mkdir('/a'),
  create('/a/b'),
  rename('/usr/lib/5', '/a/5'),
  unlink('/work/two'),
  create('/work/two'),
  append('/work/two', 'again'),
  rename('/a/b', '/work/b'),
  truncate('/etc/motd', 3),
  unlink('/etc/large'),
  append('/work/b', 'end'),
]

/** After each so many steps comes a sync. */
export const stepsBetweenSyncs = 8

const before = (): Map<string, string> =>
  new Map([
    ['/etc/motd', 'hello\n'],
    ['/etc/large', noise(300_000, 1).toString('latin1')],
    ['/a', 'of a\n'],
    ...[3, 5, 7].map((n): [string, string] => [`/usr/lib/${n}`, `${n}`.repeat(n * 1000)]),
  ])

/** The states after 0, 1, 2, … steps. */
export function containerStates(): ContainerState[] {
  const state = before()
  const states = [new Map(state)]
  for (const { expect } of containerSteps) {
    expect(state)
    states.push(new Map(state))
  }
  return states
}

const paths = [...new Set(containerStates().flatMap(state => [...state.keys()]))]

/** What a container shows of all that is ever changed. */
export function shownState(box: Pick<Container, 'lstatSync' | 'readFileSync'>): ContainerState {
  const state = new Map<string, string>()
  for (const path of paths) {
    if (isAbsent(box, path)) continue
    const isDirectory = box.lstatSync(path).isDirectory()
    state.set(path, isDirectory ? '/' : (box.readFileSync(path) as Buffer).toString('latin1'))
  }
  return state
}

function isAbsent(box: Pick<Container, 'lstatSync'>, path: string): boolean {
  try {
    return box.lstatSync(path, { throwIfNoEntry: false }) === undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error
    return true
  }
}

export function isSameState(one: ContainerState, other: ContainerState): boolean {
  return one.size === other.size && [...one].every(([path, content]) => other.get(path) === content)
}
