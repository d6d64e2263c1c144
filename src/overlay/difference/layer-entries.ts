/**
 * The entries of the layer that a commit adds: what a container shows otherwise than the layers below it (facts: R-WR, R-CL).
 *
 * - A directory, then `.wh..wh..opq` if nothing of what was there is to be seen, as `docker commit` writes it; then whiteouts, then
 *   all else, in byte order. A directory in which something changed is in the layer, too.
 * - A directory that merges with something else than its name has below, one that was renamed, is opaque, and all that it shows is
 *   in the layer.
 * - Names of one inode are hard links to the first of them.
 *
 * Invariants: the same changes give the same entries; no path comes twice; no changes, no entries.
 */
import type { ByteString } from '../../byte-string.js'
import { printable } from '../../byte-string.js'
import { PhylloError } from '../../errors.js'
import { defaultLimits } from '../../limits.js'
import { type LayerEntry, markEntry } from '../../tar/layer-writer.js'
import { opaqueName, whiteoutPrefix } from '../../tar/whiteout.js'
import { merge } from '../union/merge.js'
import { differs } from './differs.js'
import { entryOf } from './entry-of.js'
import { belowOf, type ContainerTrees, isDirectory, type Pair, pairsIn, rootPair, sameStack } from './pairs.js'

export interface ChangedEntry {
  readonly entry: LayerEntry
  /** What the entry is; undefined for whiteouts, marks and hard links to what came before. */
  readonly member: Pair['view'][number] | undefined
}

/** Names longer than this have no whiteout: `.wh.` and the name are one name. */
const longestWhiteout = defaultLimits.nameBytes - whiteoutPrefix.length

interface Open {
  readonly pair: Pair
  readonly path: ByteString
  readonly pairs: Iterator<Pair>
  readonly opaque: boolean
  written: boolean
}

/** Undefined stands for some work that gave no entry: a place to pause. */
export function* layerEntries(
  container: ContainerTrees,
  warn: (path: ByteString, reason: string) => void,
): Generator<ChangedEntry | undefined, void, void> {
  yield* new Walk(container, warn).entries()
}

class Walk {
  readonly #container: ContainerTrees
  readonly #warn: (path: ByteString, reason: string) => void
  readonly #open: Open[] = []
  /** Of inodes with several names the first, by tree and inode. */
  readonly #first = new Map<string, ByteString>()

  constructor(container: ContainerTrees, warn: (path: ByteString, reason: string) => void) {
    this.#container = container
    this.#warn = warn
  }

  *entries(): Generator<ChangedEntry | undefined, void, void> {
    yield* this.#enter(rootPair(this.#container), '' as ByteString, true)
    for (let directory = this.#open.at(-1); directory !== undefined; directory = this.#open.at(-1)) {
      const next = directory.pairs.next()
      if (next.done) this.#open.pop()
      else yield* this.#pair(next.value, pathIn(directory, next.value.name))
    }
  }

  *#pair(pair: Pair, path: ByteString): Generator<ChangedEntry | undefined, void, void> {
    const container = this.#container
    if (pair.view.length === 0) {
      yield* this.#parents()
      yield { entry: whiteoutOf(path, pair.name), member: undefined }
      return
    }
    if (pair.name.startsWith(whiteoutPrefix)) throw unwritable(path, 'the name is that of a whiteout in a layer')
    const changed = pair.base.length === 0 || differs(container, pair, 'layer')
    const directory = isDirectory(container, pair.view)
    if (directory) {
      const open = yield* this.#enter(pair, path, false)
      if (changed || open.opaque) yield* this.#parents()
    } else if (changed) yield* this.#single(pair, path)
  }

  /** What is no directory. */
  *#single(pair: Pair, path: ByteString): Generator<ChangedEntry | undefined, void, void> {
    const member = pair.view[0]!
    const { nlink } = this.#container.trees[member.lower]!.inode(member.inode)
    const key = `${member.lower} ${member.inode}`
    const first = nlink > 1 ? this.#first.get(key) : undefined
    const entry = entryOf(this.#container, member, { path, warn: this.#warn, ...(first && { first }) })
    if (entry === undefined) {
      if (pair.base.length === 0) return
      yield* this.#parents()
      yield { entry: whiteoutOf(path, pair.name), member: undefined }
      return
    }
    if (nlink > 1 && first === undefined) this.#first.set(key, path)
    yield* this.#parents()
    yield { entry, member: first === undefined ? member : undefined }
  }

  *#enter(pair: Pair, path: ByteString, isRoot: boolean): Generator<undefined, Open, void> {
    const container = this.#container
    const under = isDirectory(container, pair.base) ? pair.base : []
    const replaced = !isRoot && under.length > 0 && !sameStack(belowOf(pair.view), under)
    let pairs = yield* pairsIn(container, pair)
    let opaque = replaced && this.#showsAny(under)
    if (!opaque && pairs.some(isLongWhiteout)) {
      if (isRoot)
        throw unwritable(pairs.find(isLongWhiteout)!.name, 'it is gone, and no whiteout can have so long a name')
      opaque = true
    }
    if (opaque) pairs = yield* pairsIn(container, { ...pair, base: [] })
    const whiteoutsFirst = [...pairs.filter(isGone), ...pairs.filter(each => !isGone(each))]
    const open = { pair, path, pairs: whiteoutsFirst.values(), opaque, written: isRoot }
    this.#open.push(open)
    return open
  }

  #showsAny(under: Pair['base']): boolean {
    let any = false
    merge(this.#container.trees, under, () => (any = true))
    return any
  }

  /** Directories on the way that have not been written. */
  *#parents(): Generator<ChangedEntry | undefined, void, void> {
    for (const open of this.#open) {
      if (open.written) continue
      open.written = true
      const { path } = open
      const entry = entryOf(this.#container, open.pair.view[0]!, { path, warn: this.#warn })!
      yield { entry, member: undefined }
      if (open.opaque) yield { entry: markEntry(`${path}/${opaqueName}` as ByteString), member: undefined }
    }
  }
}

function pathIn({ path }: Open, name: ByteString): ByteString {
  return (path === '' ? name : `${path}/${name}`) as ByteString
}

function isGone({ view }: Pair): boolean {
  return view.length === 0
}

function isLongWhiteout(pair: Pair): boolean {
  return isGone(pair) && pair.name.length > longestWhiteout
}

function whiteoutOf(path: ByteString, name: ByteString): LayerEntry {
  return markEntry(`${path.slice(0, path.length - name.length)}${whiteoutPrefix}${name}` as ByteString)
}

function unwritable(path: ByteString, reason: string): PhylloError {
  return new PhylloError('WHITEOUT_INVALID', `${printable(path)}: cannot be put into a layer: ${reason}`, {
    entry: printable(path),
  })
}
