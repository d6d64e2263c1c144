/**
 * Names come and go through these functions alone: whiteouts are made, and replaced, nowhere else.
 *
 * Invariant: all checks are the caller's, and are done; nothing here fails.
 */
import type { ByteString } from '../../byte-string.js'
import type { NewNode, UpperNode } from '../../drivers/upper.js'
import { copyUp, lowerPositive, stackOf, upperOf } from './copy-up.js'
import { copyUpToMove } from './copy-up-tree.js'
import type { Dentry } from './dentry.js'
import type { Union } from './union.js'

/** A new node under a name that nothing visible has. */
export function placeNew(union: Union, directory: Dentry, name: ByteString, fields: NewNode): Dentry {
  const upper = upperOf(union)
  return upper.atomically(() => {
    const node = upper.create(fields)
    try {
      return place(union, directory, name, node)
    } finally {
      upper.release(node)
    }
  })
}

/** Gives a name that nothing visible has to a node that may have others. */
export function place(union: Union, directory: Dentry, name: ByteString, node: UpperNode): Dentry {
  const upper = upperOf(union)
  return upper.atomically(() => {
    upper.place(copyUp(union, directory), name, node)
    touch(union, directory)
    const dentry = union.tree.added(directory, name, stackOf(node))
    union.namesChanged()
    union.notices.name(directory, name)
    return dentry
  })
}

/** Takes a name away. */
export function remove(union: Union, dentry: Dentry): void {
  const upper = upperOf(union)
  upper.atomically(() => {
    const { parent } = dentry
    takeAway(union, dentry)
    touch(union, parent)
    union.tree.removed(dentry)
    union.namesChanged()
    union.notices.name(parent, dentry.name)
    union.notices.gone(dentry)
  })
}

/** Gives the name of `target`, or one that nothing visible has, to what `source` stands for, whose own name goes. */
export function move(
  union: Union,
  source: Dentry,
  directory: Dentry,
  name: ByteString,
  target: Dentry | undefined,
): void {
  const upper = upperOf(union)
  copyUpToMove(union, source)
  upper.atomically(() => {
    const node = copyUp(union, source)
    const from = source.parent
    const oldName = source.name
    upper.place(copyUp(union, directory), name, node)
    takeAway(union, source)
    touch(union, from)
    touch(union, directory)
    upper.setAttributes(node, { ctime: union.now() })
    if (target !== undefined) union.tree.removed(target)
    union.tree.moved(source, directory, name)
    union.namesChanged()
    union.notices.name(from, oldName)
    union.notices.name(directory, name)
    if (target !== undefined) union.notices.gone(target)
    union.notices.itself(source, 'rename')
  })
}

/** Each of two takes the other's name. */
export function exchange(union: Union, first: Dentry, second: Dentry): void {
  const upper = upperOf(union)
  for (const dentry of [first, second]) copyUpToMove(union, dentry)
  upper.atomically(() => {
    const [one, other] = [copyUp(union, first), copyUp(union, second)]
    const [place, otherPlace] = [
      { parent: first.parent, name: first.name },
      { parent: second.parent, name: second.name },
    ]
    upper.hold(one)
    upper.hold(other)
    upper.place(copyUp(union, place.parent), place.name, other)
    upper.place(copyUp(union, otherPlace.parent), otherPlace.name, one)
    for (const node of [one, other]) {
      upper.setAttributes(node, { ctime: union.now() })
      upper.release(node)
    }
    for (const { parent } of [place, otherPlace]) touch(union, parent)
    union.tree.exchanged(first, second)
    union.namesChanged()
    for (const dentry of [first, second]) {
      union.notices.name(dentry.parent, dentry.name)
      union.notices.itself(dentry, 'rename')
    }
  })
}

/** The upper says nothing about the name any more, or hides it, as what is below wants it. */
function takeAway(union: Union, { parent, name }: Dentry): void {
  const upper = upperOf(union)
  if (lowerPositive(union, parent, name)) upper.whiteout(copyUp(union, parent), name)
  else upper.remove(copyUp(union, parent), name)
}

function touch(union: Union, directory: Dentry): void {
  const now = union.now()
  upperOf(union).setAttributes(copyUp(union, directory), { mtime: now, ctime: now })
}
