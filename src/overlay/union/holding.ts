/**
 * Files stay what they are while they are open: who opens says so here, and a node of the upper that loses its names lives until
 * the last one has closed. (Copying up takes over what is open: `copy-up.ts`.)
 */
import { Dentry, type Standing } from './dentry.js'
import type { Union } from './union.js'

export function hold(union: Union, dentry: Dentry): void {
  dentry.opens++
  const node = union.nodeOf(dentry)
  if (node !== undefined) union.upper!.hold(node)
}

export function letGo(union: Union, dentry: Dentry): void {
  dentry.opens--
  const node = union.nodeOf(dentry)
  if (node !== undefined) union.upper!.release(node)
}

/** Holds it while work that takes several turns is under way; closing the union waits for that work. */
export function holding<T>(union: Union, dentry: Standing, work: () => Promise<T>): Promise<T> {
  if (union.upper === undefined || !(dentry instanceof Dentry)) return union.reading(work)
  return union.reading(async () => {
    hold(union, dentry)
    try {
      return await work()
    } finally {
      letGo(union, dentry)
    }
  })
}
