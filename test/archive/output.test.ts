import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { test } from 'node:test'
import { DockerArchiveTarget } from '../../src/archive/docker-archive-target.js'
import { scratch } from '../build/archive.js'
import { digestOf, layerTar } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { storedImage, tarLayer } from '../build/stored-image.js'

const images = () => [storedImage({ layers: [layerTar({ a: 'b'.repeat(3_000_000) })], tags: ['x:1'] })]

test('the file is 0600 and replaces what was there; through a symlink, the link stays', async t => {
  const path = await scratch(t)
  await writeFile(join(path, 'real.tar'), 'old', { mode: 0o644 })
  await symlink('real.tar', join(path, 'link.tar'))
  await new DockerArchiveTarget(join(path, 'link.tar'), { durable: true }).write(images())
  assert.equal((await lstat(join(path, 'link.tar'))).isSymbolicLink(), true)
  const found = await lstat(join(path, 'real.tar'))
  assert.equal(found.mode & 0o777, 0o600)
  assert.ok(found.size > 3_000_000)
  assert.deepEqual((await readdir(path)).sort(), ['link.tar', 'real.tar'])
})

test('a directory, a folder that is not there: OUTPUT_IO with the path', async t => {
  const path = await scratch(t)
  await mkdir(join(path, 'dir'))
  for (const output of ['dir', 'none/out.tar'])
    await assert.rejects(new DockerArchiveTarget(join(path, output)).write(images()), {
      code: 'OUTPUT_IO',
      path: join(path, output),
    })
})

test('a named pipe is written to, not replaced', async t => {
  const path = join(await scratch(t), 'fifo')
  execFileSync('mkfifo', [path])
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const target = new DockerArchiveTarget(path)
  const [bytes] = await Promise.all([buffer(reader.stdout), target.write(images())])
  assert.equal(bytes.length, target.bytesWritten)
  assert.equal((await lstat(path)).isFIFO(), true)
})

test('a stream that fails in the middle: OUTPUT_IO with its reason, and nothing is left hanging', async () => {
  let taken = 0
  const failing = new Writable({
    write(chunk: Buffer, _encoding, done) {
      taken += chunk.length
      done(taken > 1_500_000 ? new Error('nobody reads') : null)
    },
  })
  await assert.rejects(new DockerArchiveTarget(failing).write(images()), { code: 'OUTPUT_IO', message: /nobody reads/ })
})

test('an abort does not wait for a reader that does not read', async () => {
  const abort = new AbortController()
  const deaf = new Writable({ write: () => setImmediate(() => abort.abort(new Error('enough'))) })
  await assert.rejects(new DockerArchiveTarget(deaf, { signal: abort.signal }).write(images()), { message: 'enough' })
})

test('a slow reader holds the writer back, and gets every byte once', async t => {
  const large = () => [storedImage({ layers: [layerTar({ a: 'abcdefghijk'.repeat(900_000) })] })]
  const path = join(await scratch(t), 'out.tar')
  await new DockerArchiveTarget(path).write(large())
  const slow = new PassThrough()
  const chunks: Buffer[] = []
  const reading = (async () => {
    for await (const chunk of slow) {
      chunks.push(chunk as Buffer)
      await new Promise(setImmediate)
    }
  })()
  await Promise.all([reading, new DockerArchiveTarget(slow).write(large())])
  assert.equal(digestOf(Buffer.concat(chunks)), digestOf(await readFile(path)))
})

test('a content larger than all buffers, whose reads end in any order', async t => {
  const body = Buffer.alloc(14 * 2 ** 20 + 77)
  for (let at = 0; at < body.length; at += 4)
    body.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, Math.min(at, body.length - 4))
  const layer = tarLayer(body, 2 ** 20)
  let turn = 0
  const readTar = async (position: number, into: Uint8Array) => {
    for (let wait = (turn++ * 7) % 5; wait > 0; wait--) await new Promise(setImmediate)
    return await layer.readTar(position, into)
  }
  const path = join(await scratch(t), 'out.tar')
  const [image] = images()
  await new DockerArchiveTarget(path).write([{ ...image!, layers: [{ ...layer, readTar }] }])
  const members = await readMembers(await readFile(path))
  const written = members.get(`blobs/${layer.diffId.replace(':', '/')}`)!.body
  assert.equal(digestOf(written), layer.diffId)
})
