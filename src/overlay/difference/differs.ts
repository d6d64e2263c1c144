/**
 * Whether what stands under a name is another object than before, by three measures:
 * - `docker`: as `docker diff` has it. Times of directories and xattrs other than capabilities do not count, and equal sizes and
 *   times are equal contents.
 * - `minimal`: what somebody would have to do again; a copy-up alone is nothing (R-DF-8).
 * - `layer`: what a layer has to say so that it shows what the container shows; times of directories and broken hard links count.
 */
import type { Inode, Member } from '../../drivers/layer.js'
import type { Xattr } from '../../tar/entry.js'
import { isDirectoryMode, S_IFBLK, S_IFCHR, S_IFLNK, S_IFMT, S_IFREG } from '../union/mode.js'
import type { ContainerTrees, Pair } from './pairs.js'

export type Measure = 'docker' | 'minimal' | 'layer'

const capability = 'security.capability'

/** Of a pair that has something on both sides. */
export function differs(container: ContainerTrees, pair: Pair, measure: Measure): boolean {
  const [view, base] = [pair.view[0]!, pair.base[0]!]
  const [now, before] = [inodeOf(container, view), inodeOf(container, base)]
  if (now.mode !== before.mode || now.uid !== before.uid || now.gid !== before.gid) return true
  if (isDevice(now) && !sameDevice(now, before)) return true
  const directory = isDirectoryMode(now.mode)
  if (measure === 'docker') {
    if (!sameXattrs(container, view, base, name => name === capability)) return true
    return !directory && (now.sizeBytes !== before.sizeBytes || !sameTimeForDocker(now, before))
  }
  if (!sameXattrs(container, view, base, isOfTheImage)) return true
  if (directory) return measure === 'layer' && !sameTime(now, before)
  if (!sameTime(now, before) || !sameContent(container, pair, now)) return true
  return measure === 'layer' && (now.nlink !== 1 || before.nlink !== 1)
}

/** Overlayfs's own bookkeeping is no part of an image (R-WR-6). */
export function isOfTheImage(name: string): boolean {
  return !/^(?:trusted|user)\.overlay\./.test(name)
}

function inodeOf({ trees }: ContainerTrees, { lower, inode }: Member): Inode {
  return trees[lower]!.inode(inode)
}

function isDevice({ mode }: Inode): boolean {
  const type = mode & S_IFMT
  return type === S_IFCHR || type === S_IFBLK
}

function sameDevice(one: Inode, other: Inode): boolean {
  return one.deviceMajor === other.deviceMajor && one.deviceMinor === other.deviceMinor
}

function sameTime(one: Inode, other: Inode): boolean {
  return one.mtimeSec === other.mtimeSec && one.mtimeNsec === other.mtimeNsec
}

/** A time without a fraction may have lost it in a tar. */
function sameTimeForDocker(one: Inode, other: Inode): boolean {
  if (one.mtimeSec !== other.mtimeSec) return false
  return one.mtimeNsec === other.mtimeNsec || one.mtimeNsec === 0 || other.mtimeNsec === 0
}

function sameXattrs({ trees }: ContainerTrees, view: Member, base: Member, counts: (name: string) => boolean): boolean {
  const [now, before] = [view, base].map(({ lower, inode }) => listed(trees[lower]!.xattrs(inode), counts))
  return now === before
}

function listed(xattrs: readonly Xattr[], counts: (name: string) => boolean): string {
  const counted = xattrs
    .filter(({ name }) => counts(name))
    .map(({ name, value }) => `${name}\0${value.toString('hex')}`)
  return counted.sort().join('\0')
}

/** Of a file only what lies in the same place is known to be the same: nothing is read. */
function sameContent(container: ContainerTrees, { view, base }: Pair, { mode }: Inode): boolean {
  const [now, before] = [view[0]!, base[0]!]
  const type = mode & S_IFMT
  if (type === S_IFLNK)
    return container.trees[now.lower]!.readlink(now.inode) === container.trees[before.lower]!.readlink(before.inode)
  if (type !== S_IFREG) return true
  const { lower, inode } = (now.lower === 0 ? container.node(now.inode).lowerContent : undefined) ?? now
  return lower === before.lower && inode === before.inode
}
