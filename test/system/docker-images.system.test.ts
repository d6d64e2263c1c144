/** `images`, `tag`, `save` and `load` against the client of docker 20.10 on the same images. */
import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { BothStores } from '../build/both-stores.js'
import { type Ran, runPhyllo } from '../build/cli.js'
import { archiveOf, imageIdOf, legacyArchive } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { child, full, named, parent, unnamed } from '../build/shown-images.js'

const both = new BothStores()

const allPlaceholders =
  '{{.ID}}|{{.Repository}}|{{.Tag}}|{{.Digest}}|{{.CreatedSince}}|{{.CreatedAt}}|{{.Size}}|{{.VirtualSize}}|{{.Containers}}|{{.SharedSize}}|{{.UniqueSize}}'

const listings: readonly (readonly string[])[] = [
  [],
  ['-a'],
  ['-q'],
  ['-aq'],
  ['-q', '--no-trunc'],
  ['--no-trunc'],
  ['--digests'],
  ['--digests', '--no-trunc'],
  ['--digests=false', '-q=0'],
  ...[
    'full',
    'full:v1',
    'ful*',
    '*/*',
    '*/*/full',
    'someone/full',
    'nope',
    'full:v?',
    'f[a-z]ll',
    'localhost:5000/*',
  ].map(word => [word]),
  ...['dangling=true', 'dangling=false', 'label=who', 'label=who=child', 'label=who=parent', 'label=only='].map(
    filter => ['-f', filter],
  ),
  ...['reference=someone/*', 'reference=*:v1', 'since=aged:days', 'since=child:1'].map(filter => ['-f', filter]),
  ['-f', 'label=aged', '-f', 'since=aged:weeks', '-f', 'reference=aged:h*'],
  ['-a', '-f', 'before=child:1', '-f', 'label=who'],
  ...['full', 'sized', 'aged', 'odd', '*:1'].flatMap(word => [
    ['--format', allPlaceholders, word],
    ['--format', `table ${allPlaceholders.replaceAll('|', '\\t')}`, word],
    ['--format', '{{json .}}', word],
  ]),
  ['--format', '{{.Repository}} {{.Tag}}'],
  ['--format', 'table {{.Repository}}:{{.Tag}}\\t{{upper .Size}}\\t{{json .ID}}'],
  ['--format', '{{if eq .Repository "full"}}{{.Tag}}{{else}}-{{end}}'],
  ['--format', 'table'],
  ['--format', ''],
  ['--format', 'raw'],
  ['-q', '--format', 'raw'],
  ['-q', '--format', 'table'],
  ['-q', '--format', '{{.Tag}}'],
  ['--digests', '--format', '{{.Repository}}@{{.Digest}}'],
]

for (const words of listings) test(`images ${words.join(' ')}`, () => both.sameLines(['images', ...words]))

test('images in other time zones', async () => {
  for (const TZ of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'America/Sao_Paulo', 'Asia/Tokyo'])
    await both.sameLines(['images', 'aged', '--format', '{{.Tag}} {{.CreatedAt}}'], { TZ })
})

test('images of a filter or a template that is none: nothing printed, status 1', async () => {
  for (const words of [
    ['-f', 'nope=1'],
    ['-f', 'since=nope'],
    ['-f', 'dangling=perhaps'],
    ['--format', '{{'],
    ['--format', '{{.Nope}}'],
    ['--format', '{{nope .ID}}'],
  ])
    await both.sameLines(['images', ...words])
})

/** What a save holds: imageId → tags, number of layers, parent. */
async function saved(run: (words: readonly string[]) => Promise<Ran>, words: readonly string[]) {
  const path = join(both.scratch, `saved-${Math.random()}.tar`)
  const { status } = await run(['save', '-o', path, ...words])
  if (status !== 0) return status
  const members = await readMembers(readFileSync(path))
  const items = JSON.parse(members.get('manifest.json')!.body.toString()) as Record<string, string & string[]>[]
  rmSync(path)
  return items
    .map(({ Config, RepoTags, Layers, Parent }) => [
      Config!.slice(-69).replace(/.*\/|\.json/g, ''),
      [...(RepoTags ?? [])].sort(),
      Layers!.length,
      Parent ?? '',
    ])
    .sort()
}

test('save: which images and which names the words mean', async () => {
  for (const words of [
    ['full'],
    ['full:v1', 'someone/full:v1'],
    ['full:v1', 'full'],
    ['child:1', imageIdOf(parent).slice(7, 19)],
    [imageIdOf(parent).slice(7)],
    ['dead:beef'],
    [imageIdOf(named).slice(7, 13)],
    ['aged'],
    ['full:v1', 'full:v1', imageIdOf(full)],
    [`full@sha256:${'ab'.repeat(32)}`],
    ['nope'],
    ['full:v1', 'nope'],
    ['UPPER'],
  ]) {
    const ours = await saved(list => both.phyllo(list), words)
    assert.deepEqual(ours, await saved(list => both.docker(list), words), words.join(' '))
  }
})

test('tag: targets that are refused', async () => {
  for (const target of [
    'fresh',
    'fresh:v1',
    'localhost:5000/x/y:z',
    'docker.io/library/canonical',
    'sha256',
    'sha256:x',
    'Upper',
    'f'.repeat(64),
    `a@sha256:${'0'.repeat(64)}`,
    'a:b:c',
    '',
    '-x',
    'a/-b',
    'x:'.padEnd(131, 't'),
  ]) {
    const [theirs, ours] = [
      await both.docker(['tag', '--', 'full:v1', target]),
      await both.phyllo(['tag', '--', 'full:v1', target]),
    ]
    assert.equal(ours.status, theirs.status, `${target}: ${theirs.stderr} ${ours.stderr}`)
  }
  await both.sameLines(['images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'])
})

test('load: what is printed of names, of none, and of names that move', async () => {
  const scratchRoot = join(both.scratch, 'loads')
  for (const [index, members] of [
    legacyArchive([{ ...unnamed, tags: [] }]),
    legacyArchive([{ ...named, tags: ['moving:1', 'moving:2'] }]),
    legacyArchive([{ ...child, tags: ['moving:2'] }]),
    legacyArchive([{ ...child, tags: ['tagged:1'] }, unnamed]),
    legacyArchive([unnamed, { ...child, tags: ['tagged:1'] }]),
  ].entries()) {
    const path = join(both.scratch, `load-${index}.tar`)
    writeFileSync(path, archiveOf(members))
    const theirs = await both.docker(['load', '-i', path])
    assert.equal(
      (await runPhyllo(['load', '-i', path], { root: scratchRoot })).stdout,
      theirs.stdout,
      `archive ${index}`,
    )
  }
})
