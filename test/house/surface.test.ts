/**
 * The public surface: every name that the package exports, with the members and types of what it is. It changes on
 * purpose or not at all: `PHYLLO_UPDATE=1 npm test -- --only surface` writes test/house/surface.txt anew.
 */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { isVariableDeclaration, type Node } from 'typescript/unstable/ast'
import { API, SymbolFlags } from 'typescript/unstable/sync'
import { compiledRoot, repoRoot } from '../build/repo.js'

const snapshot = join(repoRoot, 'test/house/surface.txt')

test('the public surface is the one of surface.txt', () => {
  const surface = publicSurface(join(compiledRoot, 'src/index.d.ts'))
  if (process.env.PHYLLO_UPDATE === '1') writeFileSync(snapshot, surface)
  assert.equal(surface, readFileSync(snapshot, 'utf8'))
})

/** One block an export, by name: what the compiler declares for the users of the package, comments left out. */
function publicSurface(file: string): string {
  const api = new API({ cwd: compiledRoot })
  try {
    const project = api.updateSnapshot({ openFiles: [file] }).getDefaultProjectForFile(file)
    const tree = project?.program.getSourceFile(file)
    const module = tree && project?.checker.getSymbolAtLocation(tree)
    assert.ok(project && module, `${file} is no module`)
    const blocks = project.checker.getExportsOfModule(module).map(exported => {
      const alias = (exported.flags & SymbolFlags.Alias) !== 0
      const symbol = alias ? project.checker.getAliasedSymbol(exported) : exported
      const nodes = symbol.declarations.map(declaration => declaration.resolve(project))
      assert.ok(nodes.length > 0, `${exported.name} is declared nowhere`)
      return { name: exported.name, text: nodes.map(node => textOf(node!)).join('\n') }
    })
    blocks.sort((a, b) => (a.name < b.name ? -1 : 1))
    return blocks.map(({ name, text }) => `── ${name}\n${text}\n`).join('\n')
  } finally {
    api.close()
  }
}

function textOf(node: Node): string {
  const text = isVariableDeclaration(node) ? `const ${node.getText()}` : node.getText()
  return text
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/^ *(#private;)? *\n/gm, '')
    .replace(/^export (declare )?/, '')
}
