/** fs.glob of a view against the running Node's, where it has one, on the same tree. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { createView } from '../../src/overlay/face/view.js'
import { type Plain, plainDirectory, plainLayer } from '../build/plain-tree.js'

const tree: Record<string, Plain> = {
  '.hidden': { in: { x: { in: { 'f.js': '' } } } },
  '.dot.js': '',
  a: { in: { b: { in: { 'c.js': '' } }, 'd.js': '' } },
  'e.js': '',
}

const root = plainDirectory(tree)
after(() => fs.rmSync(root, { recursive: true, force: true }))
const view = createView([plainLayer(tree, root)])

type Glob = (pattern: string | string[], options: object) => unknown[]

const patterns = [
  '**/*.js',
  '*',
  '**',
  'a/**',
  '*.js',
  '{a,e}*',
  'a/?.js',
  './a/*.js',
  'a/',
  'a/*/',
  '**/b',
  'none*',
  '[ae]*',
  'a/../e.js',
  '.hidden/**',
  ['*.js', 'e*'],
  'a/d.js',
  '*/b/*',
]

test('the same names as Node finds, or no glob at all where Node has none', () => {
  const [nodes, mine] = [fs, view].map(
    side => (side as unknown as Record<string, unknown>).globSync as Glob | undefined,
  )
  assert.equal(typeof mine, typeof nodes)
  if (nodes === undefined || mine === undefined) return
  const sorted = (found: unknown[]) => found.map(item => JSON.stringify(item)).sort()
  for (const pattern of patterns) {
    assert.deepEqual(sorted(mine(pattern, { cwd: '/' })), sorted(nodes(pattern, { cwd: root })), String(pattern))
  }
  for (const options of [{ exclude: (name: string) => name === 'b' }, { exclude: ['a/**'] }]) {
    assert.deepEqual(sorted(mine('**', { ...options, cwd: '/' })), sorted(nodes('**', { ...options, cwd: root })))
  }
})
