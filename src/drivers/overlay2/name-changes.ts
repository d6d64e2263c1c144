/**
 * Brings names on the disk to where the tree has them, when a batch of changes ends.
 *
 * Every prefix of what is done is a tree that may be seen: first what was made comes to its names, complete, parents before
 * children; then whiteouts come; then what is not wanted goes, and deleting it comes last. So what is renamed is under its old
 * name or the new one, or both, and never nowhere. Each step is one rename: what stood there is exchanged and put aside.
 */
import type { ByteString } from '../../byte-string.js'
import { WHITEOUT } from '../layer.js'
import type { UpperNode } from '../upper.js'
import type { UpperTree } from '../upper-tree.js'
import { directoryType, typeOf } from './entry-attributes.js'
import type { UpperDisk } from './upper-disk.js'
import type { Spot, UpperPlaces } from './upper-places.js'

type Standing = UpperNode | typeof WHITEOUT | undefined

/** A name that a batch has changed. */
export interface Slot extends Spot {
  /** What has it on the disk. */
  now: Standing
}

export class NameChanges {
  /** Directories that names have come to, or gone from. */
  readonly touched = new Set<number>()
  readonly #tree: UpperTree
  readonly #disk: UpperDisk
  readonly #places: UpperPlaces
  readonly #slots: readonly Slot[]

  constructor(tree: UpperTree, disk: UpperDisk, places: UpperPlaces, slots: Iterable<Slot>) {
    this.#tree = tree
    this.#disk = disk
    this.#places = places
    // Of a directory that is gone nothing is wanted
    this.#slots = [...slots].filter(({ directory }) => tree.find(directory) !== undefined)
  }

  run(): void {
    for (const slot of this.#slots) {
      const wanted = this.#wanted(slot)
      if (wanted !== undefined && wanted !== WHITEOUT && wanted !== slot.now) this.#place(slot, wanted)
    }
    for (const slot of this.#slots) if (this.#wanted(slot) === WHITEOUT && slot.now !== WHITEOUT) this.#hide(slot)
    for (const slot of this.#slots) if (this.#wanted(slot) === undefined && slot.now !== undefined) this.#clear(slot)
  }

  #wanted({ directory, name }: Slot): Standing {
    return this.#tree.find(directory)?.children.get(name)
  }

  #place(slot: Slot, node: UpperNode): void {
    const places = this.#places
    const work = places.inWork(node.id)
    if (work !== undefined) return void this.#bring(slot, work, node)
    const old = this.#slots.find(other => other.now === node && this.#wanted(other) !== node)
    if (old !== undefined) return void this.#move(old, slot, node)
    const link = this.#disk.fresh()
    this.#disk.link(places.path(node.id), link)
    this.#bring(slot, link, node)
  }

  /** Gives the name to what stands at a path in `work`. */
  #bring(slot: Slot, from: ByteString, what: UpperNode | typeof WHITEOUT): void {
    const { now } = slot
    const to = this.#places.at(slot)
    const replaces = !isDirectory(what) && this.#isNothing(now)
    if (now === undefined || replaces) {
      this.#disk.rename(from, to)
      if (now !== undefined && now !== WHITEOUT) this.#places.remove(now.id, slot)
    } else {
      this.#disk.exchange(from, to)
      this.#aside(now, slot, from)
    }
    this.#now(slot, what)
  }

  /** What has a name that it shall not have any more gets another one. */
  #move(old: Slot, slot: Slot, node: UpperNode): void {
    const [from, to] = [this.#places.at(old), this.#places.at(slot)]
    const { now } = slot
    const replaces = now === undefined || (!isDirectory(node) && this.#isNothing(now))
    if (!replaces) {
      this.#disk.exchange(from, to)
      this.#moved(old, slot, node, now)
    } else if (this.#wanted(old) === WHITEOUT && this.#disk.renameWhiteout(from, to)) {
      this.#moved(old, slot, node, WHITEOUT)
    } else {
      this.#disk.rename(from, to)
      this.#moved(old, slot, node, undefined)
    }
  }

  /** `left`: what has the old name now. */
  #moved(old: Slot, slot: Slot, node: UpperNode, left: Standing): void {
    const places = this.#places
    if (slot.now !== undefined && slot.now !== WHITEOUT) places.remove(slot.now.id, slot)
    places.remove(node.id, old)
    this.#now(slot, node)
    this.#now(old, left)
  }

  #hide(slot: Slot): void {
    const whiteout = this.#disk.fresh()
    this.#disk.makeWhiteout(whiteout)
    this.#bring(slot, whiteout, WHITEOUT)
  }

  #clear(slot: Slot): void {
    const { now } = slot
    const path = this.#places.at(slot)
    if (this.#isNothing(now)) {
      this.#disk.unlink(path)
      if (now !== undefined && now !== WHITEOUT) this.#places.remove(now.id, slot)
    } else {
      const aside = this.#disk.fresh()
      this.#disk.rename(path, aside)
      this.#aside(now!, slot, aside)
    }
    this.#now(slot, undefined)
  }

  /** It stands in `work` now, and has lost that name. */
  #aside(what: UpperNode | typeof WHITEOUT, slot: Slot, path: ByteString): void {
    if (what === WHITEOUT) return void this.#disk.unlink(path)
    if (this.#places.spots(what.id).length < 2) return void this.#places.toWork(what.id, path)
    this.#places.remove(what.id, slot)
    this.#disk.unlink(path)
  }

  /** Whether a name can simply be taken away from it: nothing is lost that somebody still has, and nothing is below. */
  #isNothing(what: Standing): boolean {
    if (what === undefined || what === WHITEOUT) return true
    if (isDirectory(what)) return false
    return this.#tree.find(what.id) === undefined || this.#places.spots(what.id).length > 1
  }

  #now(slot: Slot, what: Standing): void {
    slot.now = what
    this.touched.add(slot.directory)
    if (what !== undefined && what !== WHITEOUT) this.#places.add(what.id, slot)
  }
}

function isDirectory(what: Standing): boolean {
  return what !== undefined && what !== WHITEOUT && typeOf(what.mode) === directoryType
}
