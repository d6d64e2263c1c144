/** docs/durability.md cannot rot: its seeded bugs are those of test/mutants, and the tests that it names are there. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { compiledRoot, repoRoot } from '../build/repo.js'
import type { Mutant } from '../mutants/mutant.js'

const document = readFileSync(join(repoRoot, 'docs/durability.md'), 'utf8')
const seeded = [
  ...document.slice(document.indexOf('## Seeded bugs')).matchAll(/^\| ([^`|\n]+) \| `(test\/[^`]+)` \|$/gm),
].map(([, name, file]) => `${name}: ${file}`)
const least = 30
const known = new Set<string>()

before(async () => {
  for (const name of readdirSync(join(repoRoot, 'test/mutants')).filter(name => name !== 'mutant.ts')) {
    const url = pathToFileURL(join(compiledRoot, 'test/mutants', name.replace(/ts$/, 'js')))
    const { mutants } = (await import(url.href)) as { readonly mutants: readonly Mutant[] }
    for (const { name: breakage, test: file } of mutants) known.add(`${breakage}: ${file}`)
  }
})

test('each seeded bug of the table is a mutant with that test, and there are many', () => {
  assert.deepEqual(
    seeded.filter(row => !known.has(row)),
    [],
  )
  assert.ok(new Set(seeded).size >= least, `${seeded.length} seeded bugs`)
})

test('each test that the page names is there', () => {
  const named = [...document.matchAll(/`(test\/[\w./-]+\.ts)`/g)].map(([, file]) => file!)
  assert.deepEqual(
    named.filter(file => !existsSync(join(repoRoot, file))),
    [],
  )
  assert.ok(named.length > least)
})

test('each campaign that the page names is one', () => {
  const named = [...document.matchAll(/\| ([a-z]+(?:-[a-z]+)*) \|$/gm)].map(([, name]) => name!)
  assert.deepEqual(named.slice(1), ['kill-sweep', 'upper-kill', 'power-cut', 'crowd'])
  for (const name of named.slice(1)) assert.ok(existsSync(join(repoRoot, `test/campaigns/${name}.ts`)), name)
})
