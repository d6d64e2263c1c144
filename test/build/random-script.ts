/** Random scripts (script.ts), made while they run in a container of ours, so that most of their paths are there. */
import { dirname } from 'node:path'
import type { Container } from '../../src/index.js'
import { NaiveTrees } from './naive-trees.js'
import { Random } from './random-tar.js'
import { type Played, runStep, type Script, type Step } from './script.js'
import { sequence, type TreeNodes } from './union-sequence.js'

const stepsOfScript = 30
/** Of the layers that a script begins with, merged. */
const leastDirectories = 4
const names = ['a', 'b', 'c', 'd']
const fileModes = [0o644, 0o600, 0o4755, 0o2711, 0]
const directoryModes = [0o755, 0o700, 0o1755, 0o2775, 0o555]
/** Seconds: before now, and no time of a layer. */
const times = [1_250_000_000, 1_260_000_000]

/** How much has been met. */
export interface Met {
  done: number
  /** Directories of the image that were moved. */
  moved: number
}

/** As many random scripts, over layers as random, in which there is something to move. */
export function randomScripts(seed: number, count: number, met: Met): Script[] {
  return Array.from({ length: count }, (_, at) => {
    const random = new Random(seed + at)
    let layers: readonly TreeNodes[] = []
    while (directoriesIn(layers) < leastDirectories) layers = sequence(random.int(2 ** 31), 0, 3).layers
    return { name: `s${at}`, layers, play: (box: Container, top: string) => playRandom(box, random, top, met) }
  })
}

function directoriesIn(layers: readonly TreeNodes[]): number {
  const count = (tree: TreeNodes): number =>
    Object.values(tree).reduce((sum, { t, children = {} }) => sum + (t === 'd' ? 1 : 0) + count(children), 0)
  return count(new NaiveTrees(layers).dump())
}

function playRandom(box: Container, random: Random, top: string, met: Met): Played {
  const homes = new Map(directoriesBelow(box, top).map(path => [path, box.lstatSync(path).ino]))
  const ofTheImage = new Set(homes.values())
  const steps: Step[] = []
  const failed: boolean[] = []
  while (steps.length < stepsOfScript) {
    const step = randomStep(box, random, top)
    if (movesOtherwise(box, step, homes)) continue
    const moved = step[0] === 'mv' ? found(() => box.lstatSync(String(step[1])).ino) : undefined
    const fails = runStep(box, step)
    steps.push(step)
    failed.push(fails)
    if (fails) continue
    met.done++
    if (moved !== undefined && ofTheImage.has(moved)) met.moved++
  }
  return { steps, failed }
}

/**
 * What `mv` in a docker container does otherwise than rename(2):
 * - Of two names of one object it takes one away, or it refuses.
 * - A directory of the image it moves name by name: hard links of the image come apart, and a path through a symlink that is moved
 *   away leads nowhere any more.
 * - One that it has moved is a new one: moved back to where it came from, all of it is in the layer; and in a set-group-ID
 *   directory it has that bit.
 */
function movesOtherwise(box: Container, [command, from, to]: Step, homes: ReadonlyMap<string, number>): boolean {
  if (command !== 'mv') return false
  for (const stat of [box.statSync, box.lstatSync]) {
    const [source, target] = [from, to].map(path => found(() => stat(String(path))))
    if (source !== undefined && source.ino === target?.ino) return true
  }
  const source = found(() => box.lstatSync(String(from)))
  if (!source?.isDirectory()) return false
  for (const parent of [from, to].map(path => dirname(String(path))))
    if (found(() => box.realpathSync(parent)) !== parent) return true
  if (homes.get(String(to)) === source.ino || (box.statSync(dirname(String(to))).mode & 0o2000) !== 0) return true
  return below(box, String(from)).some(path => {
    const stats = box.lstatSync(path)
    return !stats.isDirectory() && stats.nlink > 1
  })
}

function found<T>(stat: () => T): T | undefined {
  try {
    return stat()
  } catch {
    return undefined
  }
}

/** All paths below a directory. */
function below(box: Container, top: string): string[] {
  return box.readdirSync(top, { withFileTypes: true }).flatMap(entry => {
    const path = `${top}/${entry.name}`
    return entry.isDirectory() ? [path, ...below(box, path)] : [path]
  })
}

function directoriesBelow(box: Container, top: string): string[] {
  return below(box, top).filter(path => box.lstatSync(path).isDirectory())
}

function randomStep(box: Container, random: Random, top: string): Step {
  const known = below(box, top)
  const directories = directoriesBelow(box, top)
  const fresh = () => {
    const chance = random.int(10)
    const parent = chance === 0 ? random.pick([top, ...known]) : chance < 4 ? top : random.pick([top, ...directories])
    return `${parent}/${random.pick(names)}`
  }
  const there = () => (known.length > 0 && random.chance(0.9) ? random.pick(known) : fresh())
  const at = random.chance(0.5) ? there() : fresh()
  const chance = random.int(100)
  if (chance < 10) return ['write', at, 'w'.repeat(1 + random.int(4))]
  if (chance < 15) return ['append', there(), 'a']
  if (chance < 26) return ['mkdir', fresh()]
  if (chance < 33) return ['rm', there()]
  if (chance < 37) return ['rmdir', there()]
  if (chance < 43) return ['rm -r', there()]
  if (chance < 60 && directories.length > 0)
    return ['mv', random.pick(directories), random.chance(0.7) ? fresh() : there()]
  if (chance < 70) return ['mv', there(), random.chance(0.5) ? fresh() : there()]
  if (chance < 75) return ['ln', there(), fresh()]
  if (chance < 80) return ['ln -s', target(random, top), fresh()]
  if (chance < 83) return ['chmod', there(), random.pick(fileModes)]
  if (chance < 86 && directories.length > 0) return ['chmod', random.pick(directories), random.pick(directoryModes)]
  if (chance < 90) return ['chown', there(), random.int(3), random.int(3)]
  if (chance < 93) return ['touch', there(), random.pick(times)]
  if (chance < 95) return ['truncate', there(), random.int(6)]
  if (chance < 97) return ['setfattr', there(), 'user.k', `w${random.int(3)}`]
  return [random.pick(['mkfifo', 'mknod']), fresh()]
}

function target(random: Random, top: string): string {
  return random.pick(['a', 'b', '../a', 'c/d', `${top}/b`, `${top}/a/b`, '.', 'd/'])
}
