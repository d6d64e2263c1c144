/** Glob patterns by regular expression over all paths of a tree that is written by hand. Names with a dot count like others. */
import type { Plain } from './plain-tree.js'

export type Kind = 'file' | 'directory' | 'link'

/** Paths without a slash in front; links are not followed. */
export function pathsOf(tree: Record<string, Plain>, above = ''): [string, Kind][] {
  return Object.entries(tree).flatMap(([name, node]): [string, Kind][] => {
    const path = above + name
    if (typeof node === 'string' || 'same' in node) return [[path, 'file']]
    if ('link' in node) return [[path, 'link']]
    return [[path, 'directory'], ...pathsOf(node.in, `${path}/`)]
  })
}

/** `**`, `*`, `?`, `{a,b}`, `[ab]`, and a backslash before what stands for itself. */
export function naiveMatches(pattern: string, path: string): boolean {
  const parts: readonly (readonly [RegExp, (found: string) => string])[] = [
    [/^\*\*\//, () => '(?:[^/]+/)*'],
    [/^\*\*/, () => '.*'],
    [/^\*/, () => '[^/]*'],
    [/^\?/, () => '[^/]'],
    [/^\{[^}]*\}/, found => `(?:${found.slice(1, -1).split(',').join('|')})`],
    [/^\[[^\]]*\]/, found => found],
    [/^\\?./, found => found.at(-1)!.replace(/[^\w ]/, '\\$&')],
  ]
  let source = ''
  for (let rest = pattern; rest !== ''; ) {
    const [form, write] = parts.find(([form]) => form.test(rest))!
    const [found] = form.exec(rest)!
    source += write(found)
    rest = rest.slice(found.length)
  }
  return new RegExp(`^${source}$`).test(path)
}
