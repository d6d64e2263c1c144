/** phyllo pull: Docker's words, and where they go. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { ended, fileScratch, program, runPhyllo } from '../build/cli.js'
import { FakeRegistry } from '../build/fake-registry.js'
import { layerTar } from '../build/image.js'
import { putImage } from '../build/registry-images.js'

const scratch = fileScratch()
let roots = 0
// Nobody's credentials
process.env.DOCKER_CONFIG = join(scratch, 'docker')

async function scene(t: TestContext) {
  const fake = await FakeRegistry.start(t)
  const put = putImage(fake, { layers: [layerTar({ a: 'one' }), layerTar({ b: 'two' })] }, { tag: 'latest' })
  const root = join(scratch, `root-${roots++}`)
  const pull = (...words: string[]) => runPhyllo(['--durability', 'none', '--workers', '0', 'pull', ...words], { root })
  return { fake, put, root, pull, repository: `${fake.host}/a/b` }
}

test('layers on standard error, then Digest, Status and the whole name, as docker pull', async t => {
  const { pull, put, repository } = await scene(t)
  const { status, stdout, stderr } = await pull(repository)
  assert.equal(status, 0)
  assert.deepEqual(stdout.split('\n'), [
    'Using default tag: latest',
    `Digest: ${put.digest}`,
    `Status: Downloaded newer image for ${repository}:latest`,
    `${repository}:latest`,
    '',
  ])
  const lines = stderr.trimEnd().split('\n')
  assert.equal(lines[0], 'latest: Pulling from a/b')
  const steps = ['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete']
  for (const blob of put.blobs) {
    const id = `${blob.slice(7, 19)}: `
    assert.deepEqual(
      lines.filter(line => line.startsWith(id)),
      steps.map(step => id + step),
    )
  }
  assert.equal(lines.length, 1 + put.blobs.length * steps.length)
})

test('again, by tag and by digest: up to date', async t => {
  const { pull, put, repository } = await scene(t)
  await pull(repository)
  const again = await pull(`${repository}:latest`)
  assert.deepEqual(again.stdout.split('\n'), [
    `Digest: ${put.digest}`,
    `Status: Image is up to date for ${repository}:latest`,
    `${repository}:latest`,
    '',
  ])
  assert.equal(again.stderr, 'latest: Pulling from a/b\n')
  const pinned = `${repository}@${put.digest}`
  const { stdout } = await pull(pinned)
  assert.deepEqual(stdout.split('\n'), [
    `Digest: ${put.digest}`,
    `Status: Image is up to date for ${pinned}`,
    pinned,
    '',
  ])
})

test('V8 does not compile the parser of HTTP once more for a pull with nothing to do', async t => {
  const { pull, repository, root } = await scene(t)
  await pull(repository)
  const child = spawn(process.execPath, ['--trace-wasm-compilation-times', program, '--root', root, 'pull', repository])
  const { status, stdout } = await ended(child)
  assert.equal(status, 0)
  assert.match(stdout, /\nCompiled function .* using Liftoff, /)
  assert.doesNotMatch(stdout, / using TurboFan, /)
})

test('commands that ask a registry, and no others, have it compiled later', async t => {
  const { fake, root, repository } = await scene(t)
  const later: string[] = []
  for (const words of [
    ['pull', repository],
    ['images'],
    ['push', repository],
    ['search', `${fake.host}/a`],
    ['gc'],
    ['login', '-u', 'alice', '-p', 'secret', fake.host],
    ['copy', `docker://${repository}`, `docker://${repository}:copied`],
  ])
    await runPhyllo(words, { root, compileLater: () => later.push(words[0]!) })
  assert.deepEqual(later, ['pull', 'push', 'search', 'login', 'copy'])
})

test('a layer that is there says so', async t => {
  const { fake, pull, put, repository } = await scene(t)
  await pull(repository)
  putImage(fake, { layers: [layerTar({ a: 'one' }), layerTar({ c: 'three' })] }, { tag: 'v2' })
  const { stderr } = await pull(`${repository}:v2`)
  assert.match(stderr, new RegExp(`^${put.blobs[0]!.slice(7, 19)}: Already exists$`, 'm'))
})

test('quiet says the whole name alone; json all at once', async t => {
  const { pull, put, repository } = await scene(t)
  const quiet = await pull('-q', repository)
  assert.deepEqual([quiet.status, quiet.stdout, quiet.stderr], [0, `${repository}:latest\n`, ''])
  const { stdout, stderr } = await pull('--format', 'json', repository)
  const { report, ...said } = JSON.parse(stdout)
  assert.deepEqual(
    [said, stderr],
    [
      {
        images: [put.imageId],
        names: [`${repository}:latest`],
        status: [`Digest: ${put.digest}`, `Status: Image is up to date for ${repository}:latest`],
      },
      '',
    ],
  )
  assert.equal(report.bytesToFetch, 0)
})

test('all tags: a digest for each, one status, and the failures at the end with status 1', async t => {
  const { fake, pull, put, repository } = await scene(t)
  const second = putImage(fake, { layers: [layerTar({ c: 'x' })] }, { tag: 'v2' })
  fake.route([[/tags\/list/, { body: JSON.stringify({ name: 'a/b', tags: ['v2', 'latest'] }) }]])
  const { status, stdout } = await pull('-a', repository)
  assert.equal(status, 0)
  assert.deepEqual(stdout.split('\n'), [
    `Digest: ${put.digest}`,
    `Digest: ${second.digest}`,
    `Status: Downloaded newer image for ${repository}`,
    repository,
    '',
  ])
  fake.route([[/tags\/list/, { body: JSON.stringify({ name: 'a/b', tags: ['gone', 'latest'] }) }]])
  const failed = await pull('--all-tags', '-q', repository)
  assert.deepEqual([failed.status, failed.stdout], [1, `${repository}\n`])
  assert.match(failed.stderr, /^phyllo: REGISTRY_NOT_FOUND: manifest for .*\/a\/b:gone not found: .*manifest unknown/)
})

test('--blobs keep keeps the blobs as they came; the default keeps none', async t => {
  const { pull, put, repository, root } = await scene(t)
  await pull(repository)
  assert.equal(existsSync(join(root, 'blobs')) && readdirSync(join(root, 'blobs/sha256')).length > 0, false)
  await runPhyllo(['rmi', repository], { root })
  assert.equal((await pull('--blobs', 'keep', repository)).status, 0)
  const kept = readdirSync(join(root, 'blobs/sha256'))
  for (const blob of put.blobs) assert.ok(kept.includes(blob.slice('sha256:'.length)), blob)
})

test('--concurrent-downloads 1: one blob after the other', async t => {
  const { fake, pull, repository } = await scene(t)
  let [now, most] = [0, 0]
  const answer = async ({ url }: { readonly url: string }) => {
    most = Math.max(most, ++now)
    await sleep(50)
    now--
    return { body: fake.blobs.get(url.split('/').at(-1)!)! }
  }
  fake.route([[/^GET .*\/blobs\//, answer]])
  assert.equal((await pull('--concurrent-downloads', '1', repository)).status, 0)
  assert.equal(most, 1)
})

test('words that it does not take', async t => {
  const { pull, repository } = await scene(t)
  const tagged = await pull('-a', `${repository}:v1`)
  assert.deepEqual([tagged.status, tagged.stderr], [2, "phyllo: pull: tag can't be used with --all-tags/-a\n"])
  const refused = async (option: string, value: string) => (await pull(option, value, repository)).stderr
  assert.equal(await refused('--blobs', 'some'), 'phyllo: --blobs is one of keep, drop, not some\n')
  for (const count of ['0', '1.5', '1025', 'many'])
    assert.equal(
      await refused('--concurrent-downloads', count),
      `phyllo: --concurrent-downloads is a whole number from 1 to 1024, not ${count}\n`,
    )
  assert.equal((await pull()).status, 2)
  assert.equal((await pull(repository, repository)).status, 2)
  const missing = await pull(`${repository}:nope`)
  assert.equal(missing.status, 1)
  assert.match(missing.stderr, /REGISTRY_NOT_FOUND: manifest for .*:nope not found/)
  assert.equal((await pull('UPPER')).status, 1)
})

test('images --digests and inspect show where an image came from', async t => {
  const { pull, put, repository, root } = await scene(t)
  await pull(repository)
  const listed = await runPhyllo(['images', '--digests', '--no-trunc'], { root })
  assert.match(listed.stdout, new RegExp(`^${repository}\\s+latest\\s+${put.digest}\\s+${put.imageId}`, 'm'))
  const { stdout } = await runPhyllo(['inspect', '-f', '{{json .RepoDigests}}', repository], { root })
  assert.deepEqual(JSON.parse(stdout), [`${repository}@${put.digest}`])
})
