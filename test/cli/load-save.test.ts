/** `phyllo load` and `phyllo save`: files, pipes, what is said on the way, and how they end early. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { appArchive } from '../build/app-archive.js'
import { ended, fileScratch, linesOf, runPhyllo, startPhyllo } from '../build/cli.js'
import { archiveOf, digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { leftovers, published } from '../build/store.js'

const scratch = fileScratch()
const shared = layerTar({ shared: 'x'.repeat(5000) })
const first: MadeImage = { layers: [shared, layerTar({ a: '1' })], tags: ['first:v1', 'first:v2'] }
const second: MadeImage = { layers: [shared, layerTar({ b: '2' })], tags: ['second:v1'] }
const unnamed: MadeImage = { layers: [layerTar({ u: '3' })] }
const archive = (...images: MadeImage[]) => archiveOf(legacyArchive(images))
const path = (name: string) => join(scratch, name)
const short = (layer: Buffer) => digestOf(layer).slice(7, 19)
let roots = 0
const newRoot = () => path(`store${roots++}`)

before(() => {
  writeFileSync(path('both.tar'), archive(first, second))
  writeFileSync(path('unnamed.tar'), archive(unnamed))
})

test('load says what it loaded; on standard error a plain line for each layer', async () => {
  const root = newRoot()
  const { status, stdout, stderr } = await runPhyllo(['load', '-i', path('both.tar')], { root })
  assert.deepEqual(
    [status, stdout],
    [0, ['first:v1', 'first:v2', 'second:v1'].map(tag => `Loaded image: ${tag}\n`).join('')],
  )
  const layers = [...first.layers, second.layers[1]!].map(layer => `${short(layer)}: Loaded layer`)
  assert.deepEqual(stderr.split('\n').sort(), ['', ...layers].sort())
  const again = await runPhyllo(['load', '-i', path('both.tar')], { root })
  assert.equal(again.stdout, stdout)
  assert.deepEqual(
    again.stderr.split('\n').sort(),
    ['', ...layers.map(l => l.replace('Loaded layer', 'Layer already exists'))].sort(),
  )
})

test('load tells ids when the last image has no name, and which image lost its name', async () => {
  const root = newRoot()
  assert.deepEqual(await linesOf(['load', '-q', '-i', path('unnamed.tar')], { root }), [
    `Loaded image ID: ${imageIdOf(unnamed)}`,
  ])
  await linesOf(['load', '-q', '-i', path('both.tar')], { root })
  assert.deepEqual(await linesOf(['load', '-q'], { root, input: archive({ ...unnamed, tags: ['second:v1'] }) }), [
    `The image second:v1 already exists, renaming the old one with ID ${imageIdOf(second)} to empty string`,
    'Loaded image: second:v1',
  ])
})

test('load reads standard input, named - or not at all, compressed or not', async () => {
  for (const [words, input] of [
    [['load', '-q', '-i', '-'], appArchive()],
    [['load', '-q'], gzipSync(appArchive())],
    [['load', '-q', '--workers', '0'], appArchive()],
  ] as const) {
    const root = newRoot()
    assert.deepEqual(await linesOf(words, { root, input }), ['Loaded image: app:v1'])
    assert.deepEqual(await linesOf(['cat', 'app:v1', '/etc/os-release'], { root }), ['NAME="Small"', 'ID=small'])
  }
})

test('load --format json says ids, tags and cost, and nothing else', async () => {
  const { stdout, stderr } = await runPhyllo(['load', '-i', path('both.tar'), '--format', 'json'], { root: newRoot() })
  assert.equal(stderr, '')
  const { images, tags, report } = JSON.parse(stdout)
  assert.deepEqual([images, tags], [[first, second].map(imageIdOf), ['first:v1', 'first:v2', 'second:v1']])
  assert.ok(report.bytesRead >= 10_000 && report.bytesWritten > 0)
})

test('save writes an archive to a file or to standard output, the same bytes', async () => {
  const root = newRoot()
  await linesOf(['load', '-q', '-i', path('both.tar')], { root })
  for (const format of ['docker-archive', 'oci-archive']) {
    const words = ['save', '-q', '--format', format]
    assert.deepEqual(await linesOf([...words, '-o', path(format), 'first', 'second:v1'], { root }), [])
    const piped = await runPhyllo([...words, '-o', '-', 'first', 'second:v1'], { root })
    const unnamedOutput = await runPhyllo([...words, 'first', 'second:v1'], { root })
    assert.ok(piped.bytes.equals(readFileSync(path(format))), format)
    assert.ok(unnamedOutput.bytes.equals(piped.bytes), format)
  }
  const members = await readMembers(readFileSync(path('docker-archive')))
  assert.deepEqual(
    JSON.parse(members.get('manifest.json')!.body.toString()).map(({ RepoTags }: { RepoTags: string[] }) => RepoTags),
    [first.tags, second.tags],
  )
  const index = JSON.parse((await readMembers(readFileSync(path('oci-archive')))).get('index.json')!.body.toString())
  assert.ok(index.manifests.length >= 2)
  const { stdout } = await runPhyllo(['save', '--format', 'json', '-o', path('json.tar'), 'first:v1'], { root })
  assert.equal(JSON.parse(stdout).output, path('json.tar'))
})

test('a save that fails leaves no file and tells why in one line', async () => {
  const root = newRoot()
  await linesOf(['load', '-q', '-i', path('both.tar')], { root })
  for (const [words, said] of [
    [['-o', path('never.tar'), 'first:v1', 'nope'], /^phyllo: IMAGE_NOT_FOUND: No such image: nope:latest\n$/],
    [['-o', path('no/such/directory.tar'), 'first'], /^phyllo: OUTPUT_IO: [^\n]*ENOENT[^\n]*\n$/],
  ] as const) {
    const before = readdirSync(scratch)
    const { status, stderr } = await runPhyllo(['save', '-q', ...words], { root })
    assert.equal(status, 1)
    assert.match(stderr, said)
    assert.deepEqual(readdirSync(scratch), before)
  }
})

test('a reader that leaves a save early has lost something: one line, status 1', async () => {
  const root = newRoot()
  const big = { layers: [layerTar({ big: 'x'.repeat(4 << 20) })], tags: ['big:1'] }
  await linesOf(['load', '-q'], { root, input: archive(big) })
  const child = startPhyllo(['save', '-q', 'big:1'], { root })
  const closed = ended(child)
  await once(child.stdout!, 'data')
  child.stdout!.destroy()
  const { status, stderr } = await closed
  assert.equal(status, 1)
  assert.match(stderr, /^phyllo: OUTPUT_IO: [^\n]*EPIPE[^\n]*\n$/)
})

for (const [signal, expected, said] of [
  ['SIGINT', 130, 'interrupted'],
  ['SIGTERM', 143, 'terminated'],
] as const)
  test(`${signal} during a load ends it at once, and leaves nothing in the store`, async () => {
    const root = newRoot()
    await linesOf(['load', '-q', '-i', path('unnamed.tar')], { root })
    const untouched = published(root)
    const child = startPhyllo(['load', '-i', '-'], { root })
    const closed = ended(child)
    child.stdin!.on('error', () => undefined)
    // All but the end: the load has a stage, and layers in it, and waits for more.
    const bytes = archive(first, second)
    child.stdin!.write(bytes.subarray(0, bytes.length - 1024 - 512))
    while (!existsSync(join(root, 'phyllo/stages')) || leftovers(root).length === 0) await sleep(20)
    child.kill(signal)
    const hangs = setTimeout(() => child.kill('SIGKILL'), 20_000)
    const { status, stdout, stderr } = await closed
    clearTimeout(hangs)
    assert.deepEqual([status, stdout, stderr.split('\n').at(-2)], [expected, '', `phyllo: INTERRUPTED: ${said}`])
    assert.deepEqual(published(root), untouched)
    assert.deepEqual(leftovers(root), [])
  })

test('an archive that is damaged is refused in one line, and the store is as before', async () => {
  const root = newRoot()
  await linesOf(['load', '-q', '-i', path('unnamed.tar')], { root })
  const untouched = published(root)
  const bytes = archive(first)
  bytes[bytes.indexOf('xxxxx')] = 0x79
  for (const [input, said] of [
    [bytes, /DIFF_ID_MISMATCH: [^\n]*layer\.tar/],
    [archive(first).subarray(0, 3000), /ARCHIVE_INVALID|TAR_INVALID/],
    [Buffer.alloc(0), /ARCHIVE_INVALID|TAR_INVALID/],
  ] as const) {
    const { status, stdout, stderr } = await runPhyllo(['load', '-q'], { root, input })
    assert.deepEqual([status, stdout], [1, ''], stderr)
    assert.match(stderr, said)
    assert.match(stderr, /^phyllo: [^\n]+\n$/)
    assert.deepEqual(published(root), untouched)
    assert.deepEqual(leftovers(root), [])
  }
})
