/** What only we know about our sources, and no linter does: sizes, names, manners of a guest. One function a rule. */
import {
  isAwaitExpression,
  isCallExpression,
  isForOfStatement,
  isFunctionLikeDeclaration,
  isIdentifier,
  isNoSubstitutionTemplateLiteral,
  isObjectLiteralExpression,
  isPropertyAccessExpression,
  isStringLiteral,
  type Node,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { lineOf, linesOf, type Source, visit } from './syntax.js'

export const fileLinesMax = 300
export const functionLinesMax = 70

const isProduct = ({ path }: Source) => path.startsWith('src/') || path.startsWith('workers/')
const isTest = ({ path }: Source) => path.startsWith('test/')
const at = (source: Source, node: Node) => `${source.path}:${lineOf(source, node)}`

/** One finding for each node of the sources that `look` has words for. */
function findings(sources: readonly Source[], look: (node: Node, source: Source) => string | undefined): string[] {
  const found: string[] = []
  for (const source of sources)
    visit(source.tree, node => {
      const words = look(node, source)
      if (words !== undefined) found.push(`${at(source, node)}: ${words}`)
      return undefined
    })
  return found
}

export function longFiles(sources: readonly Source[]): string[] {
  return sources.filter(isProduct).flatMap(({ path, tree }) => {
    const lines = tree.text.split('\n').length - (tree.text.endsWith('\n') ? 1 : 0)
    return lines > fileLinesMax ? [`${path}: ${lines} lines`] : []
  })
}

export function longFunctions(sources: readonly Source[]): string[] {
  return findings(sources.filter(isProduct), (node, source) => {
    const lines = isFunctionLikeDeclaration(node) ? linesOf(source, node) : 0
    return lines > functionLinesMax ? `a function of ${lines} lines` : undefined
  })
}

/** Names that say where a thing was put, not what it is. */
export function emptyNames(sources: readonly Source[]): string[] {
  const empty = /^(utils?|common|shared|misc|helpers?|types|.*managers?)$/i
  return sources
    .filter(isProduct)
    .filter(({ path }) => path.split('/').some(part => empty.test(part.replace(/\.ts$/, ''))))
    .map(({ path }) => path)
}

/** Words for work that was put off. */
export function promises(sources: readonly Source[]): string[] {
  const word = /\b(?:T[O]DO|F[I]XME|X{3}|H[A]CK)\b/
  return sources.flatMap(({ path, tree }) =>
    tree.text.split('\n').flatMap((line, i) => (word.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
  )
}

/** Tests that do not run, or keep others from running: `test.skip`, `t.todo()`, `{ only: true }`. */
export function idleTests(sources: readonly Source[]): string[] {
  const idle = new Set(['skip', 'todo', 'only'])
  const starters = new Set(['test', 'it', 'describe', 'suite'])
  const owners = new Set([...starters, 't', 'context'])
  return findings(sources.filter(isTest), node => {
    if (!isCallExpression(node)) return undefined
    const callee = node.expression
    if (isPropertyAccessExpression(callee) && idle.has(callee.name.text) && owners.has(callee.expression.getText()))
      return callee.getText()
    const name = isPropertyAccessExpression(callee) ? callee.name.text : isIdentifier(callee) ? callee.text : ''
    if (!starters.has(name)) return undefined
    const option = node.arguments
      .filter(isObjectLiteralExpression)
      .flatMap(({ properties }) => properties.map(property => property.getText().split(/[:,\s]/)[0]!))
      .find(key => idle.has(key))
    return option === undefined ? undefined : `${name} with the option ${option}`
  })
}

export function anyTypes(sources: readonly Source[]): string[] {
  return findings(sources, node => (node.kind === SyntaxKind.AnyKeyword ? 'any' : undefined))
}

/** Who may ask to be told when the process ends: a temporary store has to go with it. */
const atTheEnd = 'src/disk/remove-at-exit.ts'

/** A library is a guest: no output, no handlers, no change of what belongs to the process. Only src/cli is at home. */
export function badManners(sources: readonly Source[]): string[] {
  const theirs = new Set(
    'exit exitCode abort kill on once addListener prependListener chdir umask setuid setgid title'.split(' '),
  )
  const guests = sources.filter(isProduct).filter(({ path }) => !path.startsWith('src/cli/') && path !== atTheEnd)
  return findings(guests, node => {
    if (!isPropertyAccessExpression(node)) return undefined
    const owner = node.expression.getText()
    if (owner === 'console' || owner === 'globalThis.console') return `console.${node.name.text}`
    if (owner === 'process.stdout' || owner === 'process.stderr') return `${owner}.${node.name.text}`
    return owner === 'process' && theirs.has(node.name.text) ? `process.${node.name.text}` : undefined
  })
}

/** `require('phyllo')` of an ES module works only while nothing in it waits. */
export function topLevelAwaits(sources: readonly Source[]): string[] {
  const found: string[] = []
  for (const source of sources.filter(({ path }) => path.startsWith('src/')))
    visit(source.tree, node => {
      if (isFunctionLikeDeclaration(node)) return false
      if (isAwaitExpression(node) || (isForOfStatement(node) && node.awaitModifier !== undefined))
        found.push(`${at(source, node)}: await`)
      return undefined
    })
  return found
}

/** Error codes that stand in the table, but in no other file of the product. */
export function unusedCodes(sources: readonly Source[], codes: readonly string[]): string[] {
  const unused = new Set(codes)
  for (const source of sources.filter(isProduct).filter(({ path }) => path !== 'src/errors.ts'))
    visit(source.tree, node => {
      if (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) unused.delete(node.text)
      return undefined
    })
  return [...unused]
}
