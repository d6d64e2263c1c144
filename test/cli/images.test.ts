/** `phyllo images`: Docker's columns, ids, filters and templates. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { addDigestReference, fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'

const root = join(fileScratch(), 'store')
const layer = layerTar({ a: 'x'.repeat(12_345) })
const step = (created_by: string) => ({ created: '2020-01-02T03:04:05Z', created_by })

const base: MadeImage = { layers: [layer], config: { created: '2020-01-01T00:00:00Z', history: [step('a')] } }
const app: MadeImage = {
  layers: [layer, layerTar({ b: 'y' })],
  tags: ['app:v1', 'localhost:5000/team/app:v2'],
  config: { created: '2021-01-01T00:00:00Z', history: [step('a'), step('b')], config: { Labels: { kind: 'app' } } },
}
const tool: MadeImage = {
  layers: [layerTar({ t: '1' })],
  tags: ['tool:latest'],
  config: { created: '2022-06-01T12:00:00.5Z', config: { Labels: { kind: 'tool', empty: '' } } },
}
const dangling: MadeImage = { layers: [layerTar({ u: '2' })], config: { created: '2023-01-01T00:00:00Z' } }
const undated: MadeImage = { layers: [layerTar({ d: '' })], tags: ['undated:1'], config: { created: undefined } }
const digest = `sha256:${'ab'.repeat(32)}`

const short = (image: MadeImage) => imageIdOf(image).slice(7, 19)
const shown = (words: string) => linesOf(['images', ...words.split(' ').filter(Boolean)], { root })
const templated = (format: string, ...words: string[]) => linesOf(['images', ...words, '--format', format], { root })
const repositories = (...words: string[]) => templated('{{.Repository}}:{{.Tag}}', ...words)

before(async () => {
  await storeWith(root, [legacyArchive([base, app], { 1: imageIdOf(base) }), legacyArchive([tool, dangling, undated])])
  addDigestReference(join(root, 'image/packed/repositories.json'), 'tool', digest, imageIdOf(tool))
  addDigestReference(join(root, 'image/packed/repositories.json'), 'pulled', digest, imageIdOf(undated))
})

test('the columns, newest first, a row for each tag, intermediate images left out', async () => {
  const [head, ...rows] = await shown('')
  assert.match(head!, /^REPOSITORY {16}TAG {7}IMAGE ID {7}CREATED +SIZE$/)
  const cells = rows.map(row => row.split(/ {3,}/))
  assert.deepEqual(
    cells.map(([repository, tag, id, , size]) => [repository, tag, id, size]).sort(),
    [
      ['<none>', '<none>', short(dangling), '1B'],
      ['app', 'v1', short(app), '12.3kB'],
      ['localhost:5000/team/app', 'v2', short(app), '12.3kB'],
      ['tool', 'latest', short(tool), '1B'],
      ['undated', '1', short(undated), '0B'],
      ['pulled', '<none>', short(undated), '0B'],
    ].sort(),
  )
  assert.deepEqual([...new Set(cells.map(([, , id]) => id))], [dangling, tool, app, undated].map(short))
  assert.deepEqual(cells.map(([, , , created]) => created).slice(-2), ['N/A', 'N/A'])
  assert.ok(cells.slice(0, -2).every(([, , , created]) => /^\d+ years ago$/.test(created!)))
})

test('-q, -a and --no-trunc', async () => {
  assert.deepEqual(await shown('-q tool'), [short(tool)])
  assert.deepEqual(await shown('-q --no-trunc app'), [imageIdOf(app)])
  assert.ok(!(await shown('-q')).includes(short(base)))
  assert.ok((await shown('-aq')).includes(short(base)))
  assert.match((await shown('--no-trunc tool'))[1]!, new RegExp(` ${imageIdOf(tool)} `))
})

test('--digests gives a row for each tag and digest of a repository', async () => {
  const format = '{{.Repository}} {{.Tag}} {{.Digest}}'
  assert.deepEqual(await templated(format, 'tool'), [`tool latest ${digest}`])
  assert.deepEqual(await templated(format, 'pulled'), [`pulled <none> ${digest}`])
  assert.deepEqual(await templated(format, 'app'), ['app v1 <none>'])
  const [head, row] = await shown('--digests tool')
  assert.match(head!, /^REPOSITORY {3}TAG {7}DIGEST {68}IMAGE ID {7}CREATED +SIZE$/)
  assert.match(row!, new RegExp(`^tool {9}latest {4}${digest} {3}${short(tool)} {3}`))
})

test('filters', async () => {
  const filtered = (...filters: string[]) => repositories(...filters.flatMap(filter => ['-f', filter]))
  assert.deepEqual(await filtered('dangling=true'), ['<none>:<none>'])
  assert.ok(!(await filtered('dangling=false')).includes('<none>:<none>'))
  assert.deepEqual(await filtered('label=kind=tool'), ['tool:latest'])
  assert.deepEqual(await filtered('label=empty'), ['tool:latest'])
  assert.deepEqual(await filtered('label=kind', 'label=empty='), ['tool:latest'])
  assert.deepEqual(await filtered('since=app:v1'), ['<none>:<none>', 'tool:latest'])
  assert.deepEqual((await filtered('before=tool')).sort(), ['app:v1', 'localhost:5000/team/app:v2'])
  assert.deepEqual(await filtered('reference=*/*/app'), ['localhost:5000/team/app:v2'])
  assert.deepEqual(await filtered('reference=app:v*', 'reference=tool'), ['tool:latest', 'app:v1'])
  assert.deepEqual(await repositories('localhost:5000/team/app:v2'), ['localhost:5000/team/app:v2'])
  assert.deepEqual(await repositories('nope'), [])
})

test('filters that are none', async () => {
  for (const [filter, said] of [
    ['nope=1', /invalid filter 'nope'/],
    ['label', /not of the form name=value/],
    ['dangling=perhaps', /invalid filter 'dangling=perhaps'/],
    ['since=nope', /IMAGE_NOT_FOUND: No such image: nope/],
    ['reference=[', /./],
  ] as const) {
    const { status, stdout, stderr } = await runPhyllo(['images', '-f', filter], { root })
    assert.deepEqual([status, stdout], [1, ''], filter)
    assert.match(stderr, said)
    assert.match(stderr, /^phyllo: [^\n]+\n$/)
  }
})

test('templates: placeholders, tables, json, raw', async () => {
  assert.deepEqual(await templated('{{.Repository}} {{.Tag}}', 'app'), ['app v1'])
  assert.deepEqual(await templated('{{.ID}} {{.Size}} {{.VirtualSize}} {{.SharedSize}} {{.Containers}}', 'app'), [
    `${short(app)} 12.3kB 12.35kB N/A N/A`,
  ])
  assert.deepEqual(await templated('{{.CreatedAt}}', 'tool'), ['2022-06-01 12:00:00 +0000 UTC'])
  assert.deepEqual(await templated('{{.CreatedAt}}|{{.CreatedSince}}', 'undated'), ['0001-01-01 00:00:00 +0000 UTC|'])
  assert.deepEqual(await templated('table {{.Repository}}\\t{{.Size}}', 'tool'), [
    'REPOSITORY   SIZE',
    'tool         1B',
  ])
  assert.deepEqual(await templated('{{.Tag}}', '-q', 'tool'), ['latest'])
  assert.deepEqual(await templated('table', '-q', 'tool'), [short(tool)])
  assert.deepEqual(await templated('', 'tool'), await shown('tool'))
  const [json] = await templated('json', 'tool')
  const row = JSON.parse(json!)
  assert.match(row.CreatedSince, /years ago/)
  assert.deepEqual(
    { ...row, CreatedSince: '' },
    {
      Containers: 'N/A',
      CreatedAt: '2022-06-01 12:00:00 +0000 UTC',
      CreatedSince: '',
      Digest: '<none>',
      ID: short(tool),
      Repository: 'tool',
      SharedSize: 'N/A',
      Size: '1B',
      Tag: 'latest',
      UniqueSize: 'N/A',
      VirtualSize: '1B',
    },
  )
  assert.deepEqual(await templated('raw', 'tool'), [
    'repository: tool',
    'tag: latest',
    `image_id: ${short(tool)}`,
    'created_at: 2022-06-01 12:00:00 +0000 UTC',
    'virtual_size: 1B',
    '',
  ])
})

test('dates are in local time, with the name of the zone', async () => {
  const at = (TZ: string) => linesOf(['images', 'tool', '--format', '{{.CreatedAt}}'], { root, env: { TZ } })
  assert.deepEqual(await at('Europe/Berlin'), ['2022-06-01 14:00:00 +0200 CEST'])
  assert.deepEqual(await at('America/Sao_Paulo'), ['2022-06-01 09:00:00 -0300 -03'])
  assert.deepEqual(await at('Asia/Kathmandu'), ['2022-06-01 17:45:00 +0545 +0545'])
})
