/** A layer of the packed driver: the Layer interface over a layer file. */
import type { ByteString } from '../../byte-string.js'
import type { LayerIndex } from '../../layerfile/layer-index.js'
import { type LayerFile, type OpenLayerOptions, openLayerFile } from '../../layerfile/reader.js'
import type { DiffId } from '../../oci/digest.js'
import type { Xattr } from '../../tar/entry.js'
import type { Inode, Layer, LayerTar } from '../layer.js'

/**
 * Opens a layer file for reading; give all layers of a process the same `cache`. Throws STORE_CORRUPT, STORE_VERSION
 * or STORE_IO, naming the file.
 */
export async function openPackedLayer(path: string, options: OpenLayerOptions = {}): Promise<PackedLayer> {
  return new PackedLayer(await openLayerFile(path, options), path)
}

/** Metadata is in memory and outlives close(); contents are read from the file, and throw STORE_CLOSED after it. */
export class PackedLayer implements Layer, LayerTar {
  readonly diffId: DiffId
  readonly inodeCount: number
  readonly tarBytes: number
  readonly source: { readonly layerFile: string }
  readonly #file: LayerFile
  readonly #index: LayerIndex

  constructor(file: LayerFile, path: string) {
    this.#file = file
    this.#index = file.index
    this.diffId = file.diffId
    this.inodeCount = file.index.inodeCount
    this.tarBytes = file.tarBytes
    this.source = { layerFile: path }
  }

  get inodeBound(): number {
    return this.inodeCount
  }

  get sizeBytes(): number {
    return this.tarBytes
  }

  get tar(): LayerTar {
    return this
  }

  lookup(dir: number, name: ByteString): number {
    return this.#index.lookup(dir, name)
  }

  list(dir: number, visit: (name: ByteString, inode: number) => void): void {
    this.#index.list(dir, visit)
  }

  inode(inode: number): Inode {
    return this.#index.inode(inode)
  }

  mode(inode: number): number {
    return this.#index.mode(inode)
  }

  opaque(inode: number): boolean {
    return this.#index.opaque(inode)
  }

  readlink(inode: number): ByteString {
    return this.#index.readlink(inode)
  }

  xattrs(inode: number): readonly Xattr[] {
    return this.#index.xattrs(inode)
  }

  contentOffset(inode: number): number {
    return this.#index.contentOffset(inode)
  }

  readSync(inode: number, position: number, into: Uint8Array): number {
    return this.#file.readSync(inode, position, into)
  }

  contentSync(inode: number, most: number): Buffer | undefined {
    return this.#file.contentSync(inode, most)
  }

  read(inode: number, position: number, into: Uint8Array): Promise<number> {
    return this.#file.read(inode, position, into)
  }

  readTar(position: number, into: Uint8Array): Promise<number> {
    return this.#file.readTar(position, into)
  }

  close(): Promise<void> {
    return this.#file.close()
  }
}
