/** What `docker diff` says of two trees, by docker's own algorithm: both are walked, nothing is known of an upper. */
import type { TreeNode, TreeNodes } from './union-sequence.js'

/** moby's FileInfo.addChanges, in sorted order: `C /path`. */
export function dockerChanges(base: TreeNodes, view: TreeNodes): string[] {
  const found: string[] = []
  const visit = (now: TreeNodes, before: TreeNodes, at: string, parents: Set<string>) => {
    for (const name of [...new Set([...Object.keys(now), ...Object.keys(before)])].sort()) {
      const [node, old, path] = [now[name], before[name], `${at}/${name}`]
      const list = (kind: string, listedPath: string) => {
        for (const parent of parents) found.push(`C ${parent}`)
        parents.clear()
        found.push(`${kind} ${listedPath}`)
      }
      const kind = node === undefined ? 'D' : old === undefined ? 'A' : statDifferent(node, old) ? 'C' : undefined
      if (kind !== undefined) list(kind, path)
      if (node?.t !== 'd') continue
      const inner = new Set([...parents, ...(kind === undefined ? [path] : [])])
      visit(node.children ?? {}, (old?.t === 'd' && old.children) || {}, path, inner)
      if (inner.size === 0) parents.clear()
    }
  }
  visit(view, base, '', new Set())
  return found
}

const owned = ({ t, mode, uid, gid, rdev }: TreeNode) => JSON.stringify([t, mode, uid, gid, rdev])

function statDifferent(now: TreeNode, before: TreeNode): boolean {
  if (owned(now) !== owned(before)) return true
  if (now.t === 'd') return false
  const size = ({ data, target }: TreeNode) => (data ?? target ?? '').length
  const [a, b] = [now.mtime ?? 0, before.mtime ?? 0]
  const sameTime = a === b || (Math.floor(a / 1e9) === Math.floor(b / 1e9) && (a % 1e9 === 0 || b % 1e9 === 0))
  return size(now) !== size(before) || !sameTime
}
