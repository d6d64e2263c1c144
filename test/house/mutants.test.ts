/** Mutants cannot rot: the text of each stands once in its file, also of those whose test CI does not sample. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { compiledRoot, repoRoot } from '../build/repo.js'
import type { Mutant } from '../mutants/mutant.js'

for (const room of readdirSync(join(repoRoot, 'test/mutants')).filter(name => name !== 'mutant.ts'))
  test(`mutants of ${room}: each text stands once in its file, and each test is there`, async () => {
    const url = pathToFileURL(join(compiledRoot, 'test/mutants', room.replace(/ts$/, 'js')))
    const { mutants } = (await import(url.href)) as { readonly mutants: readonly Mutant[] }
    for (const { name, file, find, test: path } of mutants) {
      assert.equal(readFileSync(join(repoRoot, file), 'utf8').split(find).length - 1, 1, `${name}: in ${file}`)
      assert.ok(existsSync(join(repoRoot, path)), `${name}: ${path}`)
    }
  })
