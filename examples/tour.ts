/**
 * `npm start`: an image goes into a store, is looked at, and comes out again, with what each step cost.
 * `npm start -- path/to/archive.tar` takes an archive of yours (docker save, or an OCI archive).
 */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Store } from '../src/index.js'
import { makeImage } from './make-image.js'

const project = projectFolder()
const folder = await mkdtemp(join(tmpdir(), 'phyllo-tour-'))
try {
  await tour(folder)
} finally {
  await rm(folder, { recursive: true, force: true })
}

/** The nearest folder upwards that has a package.json. */
function projectFolder(): string {
  let folder = fileURLToPath(new URL('./', import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = join(folder, '..')
  return folder
}

async function tour(folder: string): Promise<void> {
  const given = process.argv[2]
  const archive = given === undefined ? join(folder, 'tour.tar') : resolve(given)
  if (given === undefined) {
    say('An image, made of this project and what it depends on:')
    await timed(
      '  made',
      () => makeImage(project, archive),
      () => sizeOf(archive),
    )
  }
  await using store = await Store.open(join(folder, 'store'))

  say(`\nLoad ${given ?? 'it'} into a store (no daemon, no root, nothing unpacked):`)
  const load = store.load(archive)
  const images = await timed(
    '  loaded',
    () => Promise.resolve(load),
    () => sizeOf(archive),
  )
  say(`  layers: ${images.map(image => image.layers.length).join(', ')}; on disk: ${mb(load.report.bytesWritten)}`)
  const again = store.load(archive)
  await timed(
    '  and once more, all there',
    () => Promise.resolve(again),
    async () => 0,
  )

  say('\nImages:')
  for (const image of await store.images())
    say(`  ${image.tags.join(' ') || '<none>'}  ${image.id.slice(7, 19)}  ${mb(image.sizeBytes)}`)
  const image = images[0]
  if (image === undefined) return say('  none: the archive is empty')

  say('\nHistory, newest first:')
  for (const step of image.history().slice(0, 8))
    say(`  ${mb(step.sizeBytes).padStart(10)}  ${step.createdBy.slice(0, 90)}`)

  await look(store, image.id)
  const out = join(folder, 'saved.tar')
  say('\nSave:')
  await timed(
    '  saved',
    () => Promise.resolve(store.save(image.tags[0] ?? image.id, out)),
    () => sizeOf(out),
  )
  say(`
Next, with an archive of your own (docker save -o app.tar app:v1):
  npx phyllo load -i app.tar        npx phyllo images        npx phyllo history app:v1
  npx phyllo ls -l app:v1 /etc      npx phyllo cat app:v1 /etc/os-release
  npx phyllo save -o out.tar app:v1
In a program: README.md. From this folder the command is: node dist/bundle/src/cli/main.js`)
}

async function look(store: Store, id: string): Promise<void> {
  await using view = await store.view(id)
  say('\nThe union of its layers, through the shape of node:fs:')
  say(`  readdirSync('/')  ${view.readdirSync('/').join('  ')}`)
  const file = ['/etc/os-release', '/etc/passwd', '/etc/hostname'].find(path => view.existsSync(path))
  if (file !== undefined) say(`  readFileSync('${file}')  ${view.readFileSync(file, 'utf8').split('\n')[0]}`)
  let [files, bytes] = [0, 0]
  await timed(
    '  every file read, in stored order',
    async () => {
      for await (const entry of view.walk({ order: 'stored' })) {
        bytes += (await entry.content()).length
        files++
      }
    },
    async () => bytes,
  )
  say(`  ${files} files`)
}

async function timed<T>(what: string, work: () => Promise<T>, bytes: () => Promise<number>): Promise<T> {
  const start = performance.now()
  const result = await work()
  const seconds = (performance.now() - start) / 1000
  const size = await bytes()
  say(`${what}: ${seconds.toFixed(2)} s${size > 0 ? ` for ${mb(size)} (${mb(size / seconds)}/s)` : ''}`)
  return result
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path)).size
}

function mb(bytes: number): string {
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

function say(line: string): void {
  console.log(line)
}
