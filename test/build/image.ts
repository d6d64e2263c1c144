/**
 * Images as archives, composed from layer tars and JSON made here: docker-archives in both layouts and OCI layouts.
 *
 * Every function gives members by name, in the order they will stand in; `archiveOf` makes a tar of them, `layOut` a
 * directory. What a test wants to be wrong it changes in the members.
 */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { dir, file, symlink, tar } from './tar.js'

export type MadeMember = Buffer | { readonly symlink: string }
export type Members = Map<string, MadeMember>

export interface MadeImage {
  /** Uncompressed tars, base first. */
  readonly layers: readonly Buffer[]
  readonly tags?: readonly string[]
  readonly config?: Readonly<Record<string, unknown>>
}

export interface Blob {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
}

export const ociTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
export const digestOf = (bytes: Uint8Array): string => `sha256:${sha256(bytes)}`
export const jsonBytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

/** A layer of small files. */
export function layerTar(files: Readonly<Record<string, string>>): Buffer {
  return tar(Object.entries(files).map(([name, content]) => file(name, content)))
}

export function configOf({ layers, config }: MadeImage): Buffer {
  const rootfs = { type: 'layers', diff_ids: layers.map(digestOf) }
  return jsonBytes({ architecture: 'amd64', os: 'linux', created: '2020-01-02T03:04:05Z', ...config, rootfs })
}

export const imageIdOf = (image: MadeImage): string => digestOf(configOf(image))

/** docker save up to version 24: a directory for each layer of each image, an equal layer as a link to the first. */
export function legacyArchive(images: readonly MadeImage[], parents: Readonly<Record<number, string>> = {}): Members {
  const members: Members = new Map()
  const written = new Map<string, string>()
  const items = images.map((image, at) => {
    const config = configOf(image)
    const layers = image.layers.map((layer, index) => {
      const id = sha256(Buffer.from(`${at} ${index}`))
      const first = written.get(digestOf(layer))
      members.set(`${id}/VERSION`, Buffer.from('1.0'))
      members.set(`${id}/json`, jsonBytes({ id }))
      members.set(`${id}/layer.tar`, first === undefined ? layer : { symlink: `../${first}/layer.tar` })
      if (first === undefined) written.set(digestOf(layer), id)
      return `${id}/layer.tar`
    })
    members.set(`${sha256(config)}.json`, config)
    return {
      Config: `${sha256(config)}.json`,
      RepoTags: image.tags ?? null,
      Layers: layers,
      ...(parents[at] !== undefined && { Parent: parents[at] }),
    }
  })
  members.set('manifest.json', Buffer.concat([jsonBytes(items), Buffer.from('\n')]))
  return members
}

/** docker save since version 25, as far as a loader looks at it; with `pack`, layers as Docker 29 keeps them. */
export function blobArchive(images: readonly MadeImage[], pack: (layer: Buffer) => Buffer = layer => layer): Members {
  const members: Members = new Map()
  const add = (bytes: Buffer): string => {
    const name = `blobs/sha256/${sha256(bytes)}`
    members.set(name, bytes)
    return name
  }
  const items = images.map(image => ({
    Config: add(configOf(image)),
    RepoTags: image.tags ?? null,
    Layers: image.layers.map(layer => add(pack(layer))),
  }))
  members.set('manifest.json', jsonBytes(items))
  members.set('oci-layout', jsonBytes({ imageLayoutVersion: '1.0.0' }))
  return members
}

/** An OCI layout that is being put together. */
export class Layout {
  readonly members: Members = new Map()

  blob(bytes: Buffer, mediaType: string): Blob {
    this.members.set(`blobs/sha256/${sha256(bytes)}`, bytes)
    return { mediaType, digest: digestOf(bytes), size: bytes.length }
  }

  image(image: MadeImage, pack: (layer: Buffer) => Buffer = layer => layer, layerType: string = ociTypes.layer): Blob {
    const manifest = {
      schemaVersion: 2,
      mediaType: ociTypes.manifest,
      config: this.blob(configOf(image), ociTypes.config),
      layers: image.layers.map(layer => this.blob(pack(layer), layerType)),
    }
    return this.blob(jsonBytes(manifest), ociTypes.manifest)
  }

  index(manifests: readonly object[]): Blob {
    return this.blob(jsonBytes({ schemaVersion: 2, mediaType: ociTypes.index, manifests }), ociTypes.index)
  }

  /** Writes index.json and oci-layout, and gives the members. */
  done(manifests: readonly object[]): Members {
    this.members.set('index.json', jsonBytes({ schemaVersion: 2, manifests }))
    this.members.set('oci-layout', Buffer.from('{"imageLayoutVersion": "1.0.0"}'))
    return this.members
  }
}

export const named = (blob: Blob, name: string): object => ({
  ...blob,
  annotations: { 'org.opencontainers.image.ref.name': name },
})

export function archiveOf(members: Members): Buffer {
  const directories = new Set([...members.keys()].map(name => dirname(name)).filter(name => name !== '.'))
  return tar([
    ...[...directories].map(name => dir(`${name}/`)),
    ...[...members].map(([name, body]) => (Buffer.isBuffer(body) ? file(name, body) : symlink(name, body.symlink))),
  ])
}

export async function layOut(members: Members, path: string): Promise<void> {
  for (const [name, body] of members) {
    await mkdir(dirname(join(path, name)), { recursive: true })
    if (Buffer.isBuffer(body)) await writeFile(join(path, name), body)
  }
}
