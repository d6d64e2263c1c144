/** What can happen to the tree of an upper: the words of its journal. Played again in their order they make the same tree. */
import type { ByteString } from '../byte-string.js'
import type { Xattr } from '../tar/entry.js'
import type { Attributes, NewNode } from './upper.js'

export type Change<Stored = unknown> =
  | { readonly op: 'create'; readonly id: number; readonly node: NewNode }
  | { readonly op: 'place'; readonly directory: number; readonly name: ByteString; readonly id: number }
  | { readonly op: 'remove' | 'whiteout'; readonly directory: number; readonly name: ByteString }
  | { readonly op: 'attributes'; readonly id: number; readonly attributes: Partial<Attributes> }
  | { readonly op: 'xattrs'; readonly id: number; readonly xattrs: readonly Xattr[] }
  /** The node has content of its own from now on, `sizeBytes` long; where it lies is the driver's matter. */
  | { readonly op: 'content'; readonly id: number; readonly sizeBytes: number; readonly stored: Stored }
