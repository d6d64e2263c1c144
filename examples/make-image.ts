/** Makes a docker-archive out of files at hand: real bytes for a first look, without Docker and without a network. */
import { createHash } from 'node:crypto'
import { createWriteStream, type Stats } from 'node:fs'
import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { type Pack, pack } from 'tar-stream'

/** Bytes of files in one layer at most: a tour should take seconds. */
const layerBytesMax = 160 * 1024 * 1024

interface Layer {
  readonly tar: Buffer
  readonly diffId: string
  readonly createdBy: string
}

/** Three layers: what the project depends on, the project itself, and a change that replaces one file and deletes a directory. */
export async function makeImage(project: string, archive: string): Promise<void> {
  const layers = [
    await layerOf('COPY node_modules /app/node_modules', tar =>
      addTree(tar, join(project, 'node_modules'), 'app/node_modules'),
    ),
    await layerOf('COPY . /app', async tar => {
      for (const name of ['src', 'workers', 'docs']) await addTree(tar, join(project, name), `app/${name}`)
      await addFile(tar, 'app/package.json', await readFile(join(project, 'package.json')))
      await addFile(tar, 'etc/os-release', Buffer.from('PRETTY_NAME="A small thing made of Phyllo itself"\n'))
    }),
    await layerOf('RUN rm -rf /app/docs && echo changed > /etc/motd', async tar => {
      await addFile(tar, 'app/.wh.docs', Buffer.alloc(0))
      await addFile(tar, 'etc/motd', Buffer.from('changed\n'))
    }),
  ]
  await writeArchive(layers, archive)
}

async function layerOf(createdBy: string, fill: (tar: Pack) => Promise<void>): Promise<Layer> {
  const tar = pack()
  const collected = collect(tar)
  await fill(tar)
  tar.finalize()
  const bytes = await collected
  return { tar: bytes, diffId: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, createdBy }
}

async function writeArchive(layers: readonly Layer[], archive: string): Promise<void> {
  const created = new Date(0).toISOString()
  const config = Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created,
      config: { Env: ['PATH=/usr/bin:/bin'], Cmd: ['node', '/app/dist/bundle/src/cli/main.js'], WorkingDir: '/app' },
      rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(({ createdBy }) => ({ created, created_by: createdBy })),
    }),
  )
  const name = `${createHash('sha256').update(config).digest('hex')}.json`
  const manifest = [{ Config: name, RepoTags: ['tour:v1'], Layers: layers.map((_, i) => `${i}/layer.tar`) }]
  const tar = pack()
  const written = pipeline(tar, createWriteStream(archive))
  for (const [i, layer] of layers.entries()) await addFile(tar, `${i}/layer.tar`, layer.tar)
  await addFile(tar, name, config)
  await addFile(tar, 'manifest.json', Buffer.from(JSON.stringify(manifest)))
  tar.finalize()
  await written
}

async function addTree(tar: Pack, root: string, prefix: string): Promise<void> {
  let budget = layerBytesMax
  const names = await readdir(root, { recursive: true }).catch(() => [])
  for (const name of names.sort()) {
    const path = join(root, name)
    const stats = await lstat(path)
    if ((budget -= stats.size) < 0) return
    await addNode(tar, join(prefix, relative(root, path)), path, stats)
  }
}

async function addNode(tar: Pack, name: string, path: string, stats: Stats): Promise<void> {
  const header = { name, mode: stats.mode & 0o7777, mtime: stats.mtime, uid: 0, gid: 0 }
  if (stats.isDirectory()) tar.entry({ ...header, type: 'directory' })
  else if (stats.isSymbolicLink()) tar.entry({ ...header, type: 'symlink', linkname: await readlink(path) })
  else if (stats.isFile()) await write(tar, header, await readFile(path))
}

function addFile(tar: Pack, name: string, content: Buffer): Promise<void> {
  return write(tar, { name, mode: 0o644, mtime: new Date(0) }, content)
}

function write(tar: Pack, header: { name: string; mode: number; mtime: Date }, content: Buffer): Promise<void> {
  return new Promise((done, fail) => tar.entry(header, content, error => (error ? fail(error) : done())))
}

async function collect(stream: Pack): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks)
}
