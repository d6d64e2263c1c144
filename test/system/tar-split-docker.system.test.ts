/**
 * tar-split against a real dockerd 20.10: what it wrote for random archives is what we write; out of what it wrote and unpacked we put
 * the archive together again, also where it cannot itself; and with our lines it saves even those.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { countTarBytes, type SplitLayer } from '../../src/unpack/assemble-layer.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { archiveOf, legacyArchive, sha256 } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { oddArchive, oddityNames } from '../build/odd-archive.js'
import { assembled, splitFile, splitLines, type TellOptions } from '../build/split-layer.js'
import * as build from '../build/tar.js'

const scratch = mkdtempSync('/tmp/ps-')
const archives = 60
const seed = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
const odd = Array.from({ length: archives }, (_, i) => oddArchive(seed + i))
let dockerd: Dockerd

before(async () => {
  dockerd = await startDockerd(join(scratch, 'd'))
  await load(
    'odd',
    odd.map(({ bytes }) => bytes),
  )
})
after(async () => {
  await dockerd?.stop()
  rmSync(scratch, { recursive: true, force: true })
})

/** Each the only layer of an image `<name>:<i>`. */
async function load(name: string, layers: readonly Buffer[]): Promise<void> {
  const images = layers.map((layer, i) => ({ layers: [layer], tags: [`${name}:${i}`] }))
  const path = join(scratch, `${name}.tar`)
  writeFileSync(path, archiveOf(legacyArchive(images)))
  await dockerd.docker('load', '-i', path)
  rmSync(path)
}

/** The layer as dockerd stores it: of a base layer the chain's id is the layer's. */
function stored(bytes: Buffer): SplitLayer {
  const entry = join(dockerd.root, 'image/overlay2/layerdb/sha256', sha256(bytes))
  const diff = join(dockerd.root, 'overlay2', readFileSync(join(entry, 'cache-id'), 'utf8'), 'diff')
  return { tarSplit: join(entry, 'tar-split.json.gz'), diff }
}

/** 20.10 ends with a segment without bytes. */
function dockersLines({ tarSplit }: SplitLayer): string {
  return gunzipSync(readFileSync(tarSplit))
    .toString()
    .replace(/\{"type":2,"payload":"","position":\d+\}\n$/, '')
}

/** What follows the end of the archive, docker cuts as its input happened to come. */
function withoutCuts(lines: string): string {
  const list = lines.trimEnd().split('\n')
  const tail = list.findLastIndex(line => line.startsWith('{"type":1')) + 2
  const rest = list.slice(tail).map(line => Buffer.from(JSON.parse(line).payload, 'base64'))
  return [...list.slice(0, tail), Buffer.concat(rest).toString('hex')].join('\n')
}

/** The layer of each image that dockerd saves. */
async function saved(name: string, count: number): Promise<(Buffer | undefined)[]> {
  const path = join(scratch, `${name}-saved.tar`)
  await dockerd.docker('save', '-o', path, ...Array.from({ length: count }, (_, i) => `${name}:${i}`))
  const members = await readMembers(readFileSync(path))
  rmSync(path)
  const manifest: { RepoTags: string[]; Layers: string[] }[] = JSON.parse(String(members.get('manifest.json')!.body))
  return Array.from({ length: count }, (_, i) => {
    const layer = manifest.find(({ RepoTags }) => RepoTags.includes(`${name}:${i}`))!.Layers[0]!
    return members.get(layer)?.body
  })
}

/** The size of links and directories is told as none, as it has to be; what docker looks for on the host is told as raw bytes. */
const cured: TellOptions = { asRaw: ({ name }) => name.startsWith('bin/') || name.startsWith('../') }

const unsavable = [
  build.tar([
    build.dir('usr/local/bin/'),
    build.symlink('bin', '/usr/local/bin'),
    build.file('bin/foo', 'not on the host'),
    build.file('after', '1'),
  ]),
  build.tar([build.file('../climbs', 'held at the root'), build.file('after', '2')]),
  build.tar([build.dir('d/', { size: 4096 }), build.file('d/f', 'hello\n'), build.hardlink('h', 'd/f', { size: 6 })]),
]

test('the lines that docker wrote for random archives are ours', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  for (const [i, { bytes, oddities }] of odd.entries()) {
    const ours = await splitLines(bytes)
    const theirs = dockersLines(stored(bytes))
    // The size of links and directories is recorded by docker, which then cannot save them.
    if (oddities.includes('a size that a link or a directory has not')) continue
    const long = oddities.includes('a record of zeros behind the end')
    const [one, other] = long ? [withoutCuts(ours), withoutCuts(theirs)] : [ours, theirs]
    assert.equal(one, other, `PHYLLO_SEED=${seed + i}: ${oddities.join('; ')}`)
  }
  const met = new Set(odd.flatMap(({ oddities }) => oddities))
  assert.ok(met.size > oddityNames.length / 2)
})

test('what docker unpacked comes back byte for byte', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  for (const [i, { bytes, oddities }] of odd.entries()) {
    const layer = stored(bytes)
    assert.ok((await assembled(layer)).equals(bytes), `PHYLLO_SEED=${seed + i}: ${oddities.join('; ')}`)
    assert.equal(await countTarBytes(layer.tarSplit), bytes.length)
  }
})

test('layers that docker cannot save come back from what it stored; with our lines it saves them, too', async () => {
  await load('unsavable', unsavable)
  for (const i of unsavable.keys())
    await assert.rejects(dockerd.docker('save', '-o', join(scratch, 'no'), `unsavable:${i}`))
  for (const bytes of unsavable) assert.ok((await assembled(stored(bytes))).equals(bytes))
  for (const bytes of unsavable) await splitFile(stored(bytes).tarSplit, bytes, cured)
  const layers = await saved('unsavable', unsavable.length)
  for (const [i, bytes] of unsavable.entries()) assert.ok(layers[i]?.equals(bytes), `image ${i}`)
})

test('docker saves every random archive with our lines in the place of its own', async t => {
  t.diagnostic(`PHYLLO_SEED=${seed}`)
  for (const { bytes } of odd) await splitFile(stored(bytes).tarSplit, bytes)
  const layers = await saved('odd', archives)
  for (const [i, { bytes, oddities }] of odd.entries())
    assert.ok(layers[i]?.equals(bytes), `PHYLLO_SEED=${seed + i}: ${oddities.join('; ')}`)
})
