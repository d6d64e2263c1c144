/** `system df` against a real dockerd, on a copy of its root, and gc in a Docker root: du, and dockerd afterwards. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { linesOf, runPhyllo } from '../build/cli.js'
import { type Dockerd, startDockerd } from '../build/dockerd.js'
import { archiveOf, layerTar, legacyArchive } from '../build/image.js'

// Short, because the daemon's socket is in it.
const scratch = mkdtempSync('/tmp/pf-')
const [theirs, ours, packed] = ['t', 'o', 'p'].map(name => join(scratch, name)) as [string, string, string]
let dockerd: Dockerd

const base = layerTar({ 'etc/base': 'b'.repeat(1_234_567) })
const images = [
  { layers: [base], tags: ['base:v1', 'again:v1'] },
  { layers: [base, layerTar({ one: '1'.repeat(98_765) })], tags: ['one:v1'] },
  { layers: [base, layerTar({ one: '1'.repeat(98_765) }), layerTar({ two: '22' })], tags: ['two:v1'] },
  { layers: [layerTar({ alone: 'x'.repeat(4321) })] },
]
const views = [
  ['system', 'df'],
  ['system', 'df', '--format', '{{json .}}'],
  ['system', 'df', '--format', 'raw'],
  ['system', 'df', '--format', 'table {{.Type}}\t{{.Reclaimable}}'],
  ['system', 'df', '-v'],
  ['system', 'df', '-v', '--format', '{{json .Images}}'],
]

before(async () => {
  dockerd = await startDockerd(join(scratch, 'd'), theirs)
  const archive = join(scratch, 'images.tar')
  writeFileSync(archive, archiveOf(legacyArchive(images)))
  await dockerd.docker('load', '-q', '-i', archive)
  await linesOf(['load', '-q', '-i', archive], { root: packed })
  execFileSync('cp', ['-a', theirs, ours])
})
after(async () => {
  await dockerd.stop()
  rmSync(scratch, { recursive: true, force: true })
})

/** Without what only we have, in an order that both have: images made in one second come in any. */
function lines(text: string): string[] {
  const all = text.split('\n').filter(line => line !== '' && !line.startsWith('On disk: '))
  return all
    .flatMap(line => (line.startsWith('[{') ? JSON.parse(line).map((row: object) => JSON.stringify(row)) : [line]))
    .sort()
}

async function same(): Promise<void> {
  for (const words of views) {
    // dockerd's own wording of a time that is not there differs by its version; every image here has one.
    const wanted = lines(
      (await dockerd.docker(...words)).replaceAll(/ (about )?(a|an|\d+) (seconds?|minutes?|hours?) ago/gi, ' ago'),
    )
    for (const root of [ours, packed]) {
      const { stdout, stderr } = await runPhyllo(words, { root })
      const mine = lines(stdout.replaceAll(/ (about )?(a|an|\d+) (seconds?|minutes?|hours?) ago/gi, ' ago'))
      assert.deepEqual([mine, stderr], [wanted, ''], `${words.join(' ')} of ${root}`)
    }
  }
}

test('the same rows, sizes and columns as docker system df', same)

test('the last line is what du says', async () => {
  for (const root of [ours, packed]) {
    const bytes = execFileSync('du', ['-s', '--block-size=1', root]).toString().split('\t')[0]
    const last = (await linesOf(['system', 'df'], { root })).at(-1)
    assert.ok(last?.endsWith(` (${bytes} bytes)`), last)
  }
})

test('a stopped container makes its image active, and has a size of its own', async () => {
  await dockerd.docker('create', '--name', 'box', 'two:v1', 'nothing')
  mkdirSync(join(scratch, 'in'))
  writeFileSync(join(scratch, 'in/hello'), 'hello\n')
  await dockerd.docker('cp', join(scratch, 'in/hello'), 'box:/hello')
  for (const root of [ours, packed]) {
    await linesOf(['create', '--name', 'box', 'two:v1'], { root })
    await linesOf(['cp', join(scratch, 'in/hello'), 'box:/hello'], { root })
  }
  const rows = async (words: readonly string[]) => lines(await dockerd.docker(...words))
  for (const words of views.slice(0, 4))
    for (const root of [ours, packed])
      assert.deepEqual(lines((await runPhyllo(words, { root })).stdout), await rows(words))
})

test('gc in a Docker root frees what it said, and a dockerd sees the same images afterwards', async () => {
  const archive = join(scratch, 'more.tar')
  writeFileSync(
    archive,
    archiveOf(legacyArchive([{ layers: [layerTar({ more: 'm'.repeat(70_000) })], tags: ['more:v1'] }])),
  )
  const du = () => Number(execFileSync('du', ['-s', '--block-size=1', ours]).toString().split('\t')[0])
  const before = du()
  await linesOf(['load', '-q', '-i', archive], { root: ours })
  // Somebody dies between the image and its layers.
  const [id] = await linesOf(['images', '-q', '--no-trunc', 'more:v1'], { root: ours })
  rmSync(join(ours, 'image/overlay2/imagedb/content/sha256', id!.slice('sha256:'.length)))
  const { more: _gone, ...rest } = repositories()
  writeFileSync(join(ours, 'image/overlay2/repositories.json'), JSON.stringify({ Repositories: rest }))
  const bytes = du()
  const said = (await linesOf(['gc', '--dry-run'], { root: ours })).at(-1)
  const done = JSON.parse((await linesOf(['gc', '--format', 'json'], { root: ours }))[0]!)
  assert.equal(bytes - du(), done.freedBytes)
  assert.ok(said?.includes(`(${done.freedBytes} bytes)`), said)
  assert.deepEqual(new Set(done.garbage.map(({ kind }: { kind: string }) => kind)), new Set(['layer', 'content']))
  assert.ok(Math.abs(du() - before) < 16_384, `${du()} and ${before} before`)
  const wanted = (await dockerd.docker('images', '-a', '-q', '--no-trunc')).split('\n').sort()
  await dockerd.stop()
  dockerd = await startDockerd(join(scratch, 'd'), ours)
  assert.deepEqual((await dockerd.docker('images', '-a', '-q', '--no-trunc')).split('\n').sort(), wanted)
})

function repositories(): Record<string, unknown> {
  return JSON.parse(execFileSync('cat', [join(ours, 'image/overlay2/repositories.json')]).toString()).Repositories
}
