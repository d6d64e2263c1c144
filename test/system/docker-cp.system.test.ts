/** `cp` with paths at both ends against the client of docker 20.10: the same words, the same status, the same trees. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { BothStores } from '../build/both-stores.js'
import { assertAlike, listed, makeContainers, unpacked, withoutNow } from '../build/cp-scenes.js'

const both = new BothStores()
/** From the fixture `s` to the fixture `t`, in either direction. */
const copies: readonly (readonly string[])[] = [
  ...[
    'new',
    'new/',
    'f',
    'f/',
    'd',
    'd/.',
    'lf',
    'ld',
    'dang',
    'dang/',
    'deep',
    'no/where',
    'f/x',
    'd/g',
    '',
    'ld/../new',
  ].map(to => ['s/f', `t/${to}`]),
  ...['new', 'new/', 'new/.', 'f', 'd', 'lf', 'ld', 'dang', 'deep', 'no/where'].map(to => ['s/d', `t/${to}`]),
  ...['new', 'd'].flatMap(to => [
    ['s/d/', `t/${to}`],
    ['s/d/.', `t/${to}`],
    ['s/lf', `t/${to}`],
    ['-L', 's/lf', `t/${to}`],
    ['s/ld', `t/${to}`],
    ['s/ld/', `t/${to}`],
    ['-L', 's/ld', `t/${to}`],
    ['-L', 's/lc', `t/${to}`],
  ]),
  ['s/d/.', 't/f'],
  ['s/ld/.', 't/ld'],
  ['s/nope', 't/new'],
  ['s/f/', 't/new'],
  ['s/f/x', 't/new'],
  ['s/dang', 't/new'],
  ['-L', 's/dang', 't/new'],
  ['s/clash/.', 't/d'],
  ['s/clash2/.', 't/d'],
]

const inBox = (top: string, word: string) => (word.startsWith('-') ? word : `blue:/${top}${word.slice(1)}`)
/** Words of a copy whose source, or target, is in the container. */
const into = (words: readonly string[], at: number) =>
  words.map((word, i) =>
    i === words.length - 1 ? inBox(`t${at}`, word) : word.startsWith('-') ? word : `${both.scratch}/${word}`,
  )
const outOf = (words: readonly string[], at: number, who: string) =>
  words.map((word, i) => (i === words.length - 1 ? `${folder(at, who)}/${word}` : inBox('s', word)))
const folder = (at: number, who: string) => join(both.scratch, `out-${at}`, who)

test('the same trees at both ends: created, and unpacked from standard input', async () => {
  await makeContainers(both, ['s', ...copies.map((_, at) => `t${at}`)])
  unpacked(both.scratch, 's')
  for (const at of copies.keys()) for (const who of ['docker', 'phyllo']) unpacked(folder(at, who), 't')
})

for (const [at, words] of copies.entries()) {
  test(`into a container: cp ${words.join(' ')}`, async () => {
    const all = ['cp', ...into(words, at)]
    const [theirs, ours] = await Promise.all([both.docker(all), both.phyllo(all)])
    assertAlike(all, theirs, ours)
  })
  test(`out of a container: cp ${words.join(' ')}`, async () => {
    const [theirs, ours] = await Promise.all([
      both.docker(['cp', ...outOf(words, at, 'docker')]),
      both.phyllo(['cp', ...outOf(words, at, 'phyllo')]),
    ])
    assertAlike(words, theirs, ours)
    const tree = (who: string) => {
      const format = '%P %y %m %U:%G %s %n %TY-%Tm-%Td %TH:%TM %l\\n'
      const text = execFileSync('find', [folder(at, who), '-mindepth', '1', '-printf', format], { encoding: 'utf8' })
      return withoutNow(text).split('\n').sort()
    }
    assert.deepEqual(tree('phyllo'), tree('docker'))
  })
}

test('the container is the same after all of it', async () => {
  const [theirs, ours] = await Promise.all([both.docker(['cp', 'blue:/', '-']), both.phyllo(['cp', 'blue:/', '-'])])
  assert.deepEqual(listed(ours.bytes), listed(theirs.bytes))
})
