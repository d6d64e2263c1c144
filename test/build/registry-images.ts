/** Images in a fake registry, with gzip layers, and stores that know where it is. */
import { createCipheriv } from 'node:crypto'
import type { TestContext } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Store, StoreOptions } from '../../src/index.js'
import type { Answering, FakeRegistry } from './fake-registry.js'
import { configOf, type MadeImage, ociTypes } from './image.js'
import { quick } from './registry-client.js'
import { scratchStore } from './store.js'
import { file, tar } from './tar.js'

export interface Put {
  /** Of the manifest. */
  readonly digest: string
  readonly imageId: string
  /** Digests of the blobs, base first. */
  readonly blobs: readonly string[]
  readonly manifest: { readonly layers: readonly object[]; readonly [key: string]: unknown }
  readonly descriptor: { readonly mediaType: string; readonly digest: string; readonly size: number }
}

/** `change`: of the manifest before it is put. */
export function putImage(
  fake: FakeRegistry,
  image: MadeImage,
  { tag = 'v1', pack = gzipSync as (layer: Buffer) => Buffer, change = (manifest: object): object => manifest } = {},
): Put {
  const config = fake.addBlob(configOf(image))
  const blobs = image.layers.map(layer => fake.addBlob(pack(layer)))
  const manifest = {
    schemaVersion: 2,
    mediaType: ociTypes.manifest,
    config: { mediaType: ociTypes.config, digest: config.digest, size: config.sizeBytes },
    layers: blobs.map(({ digest, sizeBytes }) => ({ mediaType: ociTypes.gzip, digest, size: sizeBytes })),
  }
  const { digest, sizeBytes, mediaType } = fake.addManifest(change(manifest), { tag, type: ociTypes.manifest })
  return {
    digest,
    imageId: config.digest,
    blobs: blobs.map(blob => blob.digest),
    manifest,
    descriptor: { mediaType, digest, size: sizeBytes },
  }
}

/** A layer with one file that does not shrink, made of the seed. */
export function noiseLayer(name: string, bytes: number, seed = bytes): Buffer {
  return tar([file(name, noise(bytes, seed))])
}

/** Bytes that no compression makes shorter, the same for the same seed. */
export function noise(bytes: number, seed: number): Buffer {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16))
  return cipher.update(Buffer.alloc(bytes))
}

/** A store whose registries answer at once, or not at all. */
export function pullingStore(t: TestContext, { registry, ...options }: StoreOptions = {}): Promise<Store> {
  return scratchStore(t, {
    registry: { retries: quick, certificates: '/nonexistent', credentials: none, ...registry },
    ...options,
  })
}

export const none = { get: async () => undefined }

/** `GET` of blobs, as a fake has seen them: digest and range. */
export function blobRequests(fake: FakeRegistry): string[] {
  return fake.seen.flatMap(({ method, url, headers }) => {
    const digest = /\/blobs\/(sha256:\w+)$/.exec(url)?.[1]
    return method === 'GET' && digest !== undefined ? [`${digest}${headers.range ? ` ${headers.range}` : ''}`] : []
  })
}

/** The bytes of a blob up to `upTo`, by which the connection breaks, or `stall`s for as long as the test runs. */
export function breaksOff(fake: FakeRegistry, blob: string, upTo: number, { stall = false } = {}): Answering {
  return (seen, response) => {
    const bytes = fake.blobs.get(blob)!
    const from = Number(/^bytes=(\d+)-$/.exec(seen.headers.range ?? '')?.[1] ?? 0)
    const stated = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` }
    response.writeHead(from > 0 ? 206 : 200, { 'content-length': bytes.length - from, ...(from > 0 && stated) })
    response.write(bytes.subarray(from, upTo), () => {
      // What was written has to leave before the connection does.
      if (!stall) setTimeout(() => response.destroy(), 50)
    })
    return undefined
  }
}
