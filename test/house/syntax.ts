/**
 * Sources as syntax trees, for the tests that guard the house. Parsed by the compiler that builds them, so that no
 * comment, string or type-only import can fool a rule.
 */
import { join, relative, sep } from 'node:path'
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isMetaProperty,
  isNewExpression,
  isNoSubstitutionTemplateLiteral,
  isStringLiteral,
  type Node,
  type SourceFile,
  SyntaxKind,
} from 'typescript/unstable/ast'
import { API, type Project } from 'typescript/unstable/sync'

export interface Source {
  /** From the project's folder, with `/`. */
  readonly path: string
  readonly tree: SourceFile
}

/** Opens the project of a folder's tsconfig.json, gives `use` every file in it, and closes the compiler again. */
export function withSources<R>(dir: string, use: (sources: readonly Source[], project: Project) => R): R {
  const api = new API({ cwd: dir })
  try {
    const project = api.updateSnapshot({ openProjects: [join(dir, 'tsconfig.json')] }).getProjects()[0]
    if (project === undefined) throw new Error(`no project in ${dir}`)
    const sources = project.rootFiles.map(file => {
      const tree = project.program.getSourceFile(file)
      if (tree === undefined) throw new Error(`${file} is listed and not there`)
      return { path: relative(dir, file).split(sep).join('/'), tree }
    })
    return use(sources, project)
  } finally {
    api.close()
  }
}

/** Every node below `node`, parents first; `enter` may return false to leave its children out. */
export function visit(node: Node, enter: (node: Node) => boolean | undefined): void {
  node.forEachChild(child => {
    if (enter(child) !== false) visit(child, enter)
    return undefined
  })
}

export function lineOf({ tree }: Source, node: Node): number {
  return tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1
}

export function linesOf({ tree }: Source, node: Node): number {
  const { line } = tree.getLineAndCharacterOfPosition(node.getStart(tree))
  return tree.getLineAndCharacterOfPosition(node.end).line - line + 1
}

export interface Import {
  /** Undefined: computed at run time. */
  readonly specifier: string | undefined
  /** `static` is an import or export with a value in it; `type` vanishes in the compiled file. */
  readonly kind: 'static' | 'type' | 'dynamic' | 'url'
  readonly line: number
}

/** Every way of one file to another: imports, re-exports, `import()`, `import('…').T`, `require`, `new URL('…', import.meta.url)`. */
export function importsOf(source: Source): Import[] {
  const found: Import[] = []
  visit(source.tree, node => {
    const found1 = importOf(node)
    if (found1 !== undefined) found.push({ ...found1, line: lineOf(source, node) })
    return undefined
  })
  return found
}

function importOf(node: Node): Omit<Import, 'line'> | undefined {
  if (isImportDeclaration(node)) {
    const typeOnly = node.importClause?.phaseModifier === SyntaxKind.TypeKeyword
    return { specifier: textOf(node.moduleSpecifier), kind: typeOnly ? 'type' : 'static' }
  }
  if (isExportDeclaration(node) && node.moduleSpecifier !== undefined)
    return { specifier: textOf(node.moduleSpecifier), kind: node.isTypeOnly ? 'type' : 'static' }
  if (isImportTypeNode(node))
    return { specifier: isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined, kind: 'type' }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword)
    return { specifier: textOf(node.arguments[0]), kind: 'dynamic' }
  if (isCallExpression(node) && node.expression.getText() === 'require')
    return { specifier: textOf(node.arguments[0]), kind: 'static' }
  const [first, base] = isNewExpression(node) && node.expression.getText() === 'URL' ? (node.arguments ?? []) : []
  if (base !== undefined && contains(base, isMetaProperty)) {
    const specifier = textOf(first)
    if (specifier !== undefined) return { specifier, kind: 'url' }
  }
  return undefined
}

function contains(node: Node, test: (node: Node) => boolean): boolean {
  let found = test(node)
  visit(node, child => {
    found ||= test(child)
    return !found
  })
  return found
}

function textOf(node: Node | undefined): string | undefined {
  return node !== undefined && (isStringLiteral(node) || isNoSubstitutionTemplateLiteral(node)) ? node.text : undefined
}
