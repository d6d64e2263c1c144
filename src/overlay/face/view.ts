/** A View: the read-only union of an image's layers, with the shape of node:fs. */
import type fs from 'node:fs'
import type { Layer } from '../../drivers/layer.js'
import { pathArgument } from '../union/arguments.js'
import { Union, type UnionOptions } from '../union/union.js'
import { type ViewEntry, viewEntry } from '../walk/view-entry.js'
import { type WalkEntry, type WalkOptions, walk } from '../walk/walk.js'
import { faceOf } from './face.js'

export type ViewOptions = UnionOptions

/** What a view has beside node:fs. */
export interface ViewExtras {
  /**
   * What the layers say of a path; symlinks at its end are not followed, unless `follow` is set. Undefined if there is nothing.
   * Throws errno errors for paths that cannot be (ELOOP, ENAMETOOLONG).
   */
  entry(path: fs.PathLike, options?: { readonly follow?: boolean }): ViewEntry | undefined
  walk(options?: WalkOptions): AsyncGenerator<WalkEntry, void, void>
  /** Without arguments: closes the view, once its reads have ended. Idempotent. With arguments it is `fs.close`. */
  close: typeof fs.close & (() => Promise<void>)
  [Symbol.asyncDispose](): Promise<void>
}

/** Every function of node:fs, each an own property that needs no `this`. Those that would write fail with EROFS. */
export type View = Omit<typeof fs, 'close'> & ViewExtras

/** `layers` are base first, as in an image. They stay the caller's until `close`, which calls `onClose` to release them. */
export function createView(layers: readonly Layer[], options: ViewOptions = {}): View {
  return viewOf(new Union(layers, options))
}

/** The face of a union that somebody else has something to do with, too. */
export function viewOf(union: Union): View {
  const view = {
    ...faceOf(union),
    entry(path: unknown, { follow = false }: { readonly follow?: boolean } = {}): ViewEntry | undefined {
      const argument = pathArgument(path)
      const found = union.lookup(argument, follow)
      if (found === 'ENOENT' || found === 'ENOTDIR') return undefined
      const dentry = typeof found === 'string' ? union.at(argument, follow, 'entry') : found
      return viewEntry(union, dentry, union.tree.pathOf(dentry))
    },
    walk: (walkOptions?: WalkOptions) => walk(union, walkOptions),
  }
  // Where the running Node has the symbol
  if (Symbol.asyncDispose !== undefined) Object.assign(view, { [Symbol.asyncDispose]: () => union.close() })
  return view as unknown as View
}
