/** Trees of layers as literals, in tests that say in a line what is below. */
import type { TreeNode, TreeNodes } from './union-sequence.js'

/** Seconds since 1970, in nanoseconds: when everything here was made. */
const mtime = 1e9

export const file = (data = '', more: Partial<TreeNode> = {}): TreeNode => ({
  t: 'f',
  mode: 0o644,
  mtime,
  data,
  ...more,
})
export const dir = (children: TreeNodes = {}, more: Partial<TreeNode> = {}): TreeNode => ({
  t: 'd',
  mode: 0o755,
  mtime,
  children,
  ...more,
})
export const gone: TreeNode = { t: 'w' }
