/** A store with an image that has its name at a small registry, for tests of push. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { TestContext } from 'node:test'
import { gunzipSync, gzipSync } from 'node:zlib'
import { type OperationEvent, Store, type StoreOptions } from '../../src/index.js'
import { FakeRegistry, type Routes } from './fake-registry.js'
import { configOf, digestOf, layerTar, legacyArchive, sha256 } from './image.js'
import { quick } from './registry-client.js'
import { archiveFile } from './store.js'

export const threeLayers = [
  layerTar({ base: 'all work and no play makes Jack a dull boy\n'.repeat(20_000) }),
  layerTar({ middle: 'the middle of it all\n'.repeat(9_000) }),
  layerTar({ top: 'at the top' }),
]

export interface SceneOptions extends StoreOptions {
  readonly layers?: readonly Buffer[]
  readonly routes?: Routes
  readonly tags?: readonly string[]
}

export interface Note {
  readonly Digest: string
  readonly SourceRepository: string
  readonly HMAC: string
}

export class PushScene {
  readonly fake: FakeRegistry
  readonly store: Store
  readonly layers: readonly Buffer[]

  constructor(fake: FakeRegistry, store: Store, layers: readonly Buffer[]) {
    this.fake = fake
    this.store = store
    this.layers = layers
  }

  /** `127.0.0.1:PORT/a/b:v1`. */
  get name(): string {
    return `${this.fake.host}/a/b:v1`
  }

  get diffIds(): string[] {
    return this.layers.map(digestOf)
  }

  get config(): Buffer {
    return configOf({ layers: this.layers })
  }

  /** The manifest under a tag, and the layers that it names as the registry has them. */
  pushed(tag = 'v1') {
    const found = this.fake.manifests.get(tag)
    if (found === undefined) throw new Error(`no manifest ${tag}`)
    const manifest = JSON.parse(found.bytes.toString()) as Manifest
    const blobs = manifest.layers.map(({ digest }) => this.fake.blobs.get(digest)!)
    return { ...found, manifest, blobs, config: this.fake.blobs.get(manifest.config.digest)! }
  }

  notesOf(layer: Buffer): Note[] {
    try {
      return JSON.parse(readFileSync(this.#notePath(layer), 'utf8'))
    } catch {
      return []
    }
  }

  /** As a pull, or a push by Docker, would have noted it. The latest last. */
  note(layer: Buffer, ...notes: readonly Note[]): void {
    writeUnder(this.#notePath(layer), JSON.stringify(notes))
  }

  /** A blob as it came, under its name; `as`: under another's. */
  keep(bytes: Buffer, as = sha256(bytes)): string {
    writeUnder(join(this.store.root, 'blobs/sha256', as), bytes)
    return `sha256:${as}`
  }

  #notePath(layer: Buffer): string {
    return join(this.store.root, 'image/packed/distribution/v2metadata-by-diffid/sha256', sha256(layer))
  }
}

interface Described {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export interface Manifest {
  readonly mediaType: string
  readonly config: Described
  readonly layers: readonly Described[]
}

export async function pushScene(t: TestContext, options: SceneOptions = {}): Promise<PushScene> {
  const { layers = threeLayers, routes = [], tags = ['v1'], ...rest } = options
  const fake = await FakeRegistry.start(t, { routes })
  const store = await storeFor(t, rest)
  const names = tags.map(tag => `${fake.host}/a/b:${tag}`)
  await store.load(archiveFile(t, legacyArchive([{ layers, tags: names }])))
  return new PushScene(fake, store, layers)
}

/** One layer, and a blob that it may have come as. */
export const oneLayer = layerTar({ only: 'one layer\n'.repeat(20_000) })
export const itsBlob = gzipSync(oneLayer, { level: 1 })

/** That blob is noted in these repositories: of the registry, or, with a dot in its name, of another one. */
export async function notedScene(
  t: TestContext,
  from: readonly string[],
  layers: readonly Buffer[] = [oneLayer],
): Promise<PushScene> {
  const scene = await pushScene(t, { layers })
  const repositories = from.map(path => (path.includes('.') ? path : `${scene.fake.host}/${path}`))
  scene.note(
    layers[0]!,
    ...repositories.map(SourceRepository => ({ Digest: digestOf(itsBlob), SourceRepository, HMAC: '' })),
  )
  return scene
}

/** Quick about waiting, without anybody's credentials; nothing is left in the temporary directory that it has to itself. */
export async function storeFor(t: TestContext, options: StoreOptions = {}): Promise<Store> {
  const folder = mkdtempSync(join(tmpdir(), 'phyllo-push-scene-'))
  const credentials = { get: async () => undefined }
  const registry = { retries: quick, certificates: '/nonexistent', credentials, ...options.registry }
  const store = await Store.open(join(folder, 'store'), { durability: 'none', workers: 1, ...options, registry })
  t.after(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return store
}

/** What an operation says of its layers, and its result. */
export async function toldBy<T>(operation: AsyncIterable<OperationEvent> & PromiseLike<T>) {
  const events: OperationEvent[] = []
  for await (const event of operation) events.push(event)
  const layers = events.flatMap(event => (event.type === 'layer' ? [`${event.subject}: ${event.message}`] : []))
  return { result: await operation, events, layers }
}

export function unzipped(blob: Buffer): string {
  return digestOf(gunzipSync(blob))
}

function writeUnder(path: string, bytes: string | Buffer): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, bytes)
}
