/**
 * What a store asks of the place where contents live. Two answer: `packed/` has one file for each diffId, `overlay2/` one directory
 * for each chain, Docker's own. Whoever asks knows neither.
 *
 * Invariants:
 * - A content is known by its cache-id, and the record in layerdb says whose it is.
 * - A content is published before the record that names it, and goes after it.
 */
import type { DriverName } from '../disk/paths.js'
import type { Limits } from '../limits.js'
import type { ChainId, DiffId } from '../oci/digest.js'
import type {
  ByteRange,
  CommitLayerOutput,
  ContentSource,
  LayerInput,
  TarSource,
  WriteLayerOutput,
} from '../pool/jobs.js'
import type { Pool, RunOptions } from '../pool/pool.js'
import type { PlannedContent } from '../tar/layer-plan.js'
import type { Layer, LayerTar } from './layer.js'
import type { Lowers, NewNode, Upper } from './upper.js'

/** What a record says of a layer's content. */
export interface LayerContent {
  readonly chainId: ChainId
  readonly diffId: DiffId
  readonly cacheId: string
  /** Docker's size of the layer. */
  readonly sizeBytes: number
}

export type OpenLayer = Layer & { close(): Promise<void> }
export type OpenTar = LayerTar & { close(): Promise<void> }

export interface NewContent {
  readonly chainId: ChainId
  readonly diffId: DiffId
  /** What a job has made, in a stage. Absent: the content is there already. */
  readonly staged: string | undefined
  /** cache-id of the layer below. */
  readonly below: string | undefined
}

/** A content in its place that no record names yet. */
export interface PublishedContent {
  readonly cacheId: string
  /** Files that have to stand beside the record, by name: where they are. */
  readonly beside: readonly (readonly [name: string, path: string])[]
  /** A record names it. */
  recorded(): Promise<void>
  /** None will: what is not shared goes again. */
  withdraw(): Promise<void>
}

/** What a job makes the content of a layer of. */
export interface WriteContent {
  readonly source: LayerInput
  /** Where in the archive or store it stands, for messages. */
  readonly label: string
  /** File or directory to create, inside a stage. */
  readonly target: string
  /** Default sha256. */
  readonly digestAlgorithm?: 'sha256' | 'sha512'
}

/** The same of a container's changes: see pool/jobs.ts. */
export interface CommitContent {
  readonly plan: ByteRange
  readonly label: string
  readonly target: string
}

export interface ContentJob<Output> {
  readonly output: Promise<Output>
  /** From now on others may help, where the driver has a way to. */
  wantHelp(): void
  /** So many bytes of the input are left: for whoever helps. */
  left(bytes: number): void
  /** Settles when nothing of it runs any more; never throws. */
  gone(): Promise<void>
}

/** The jobs of one load or commit. */
export interface ContentJobs {
  write(content: WriteContent, options: RunOptions): ContentJob<WriteLayerOutput>
  /** `tarBytes`: of the layer's tar, as far as is known. */
  commit(content: CommitContent, tarBytes: number, options: RunOptions): ContentJob<CommitLayerOutput>
}

export interface TarOptions {
  /** What there is to do before a byte is read may be done there. */
  readonly pool?: () => Pool
  readonly signal?: AbortSignal
}

export interface ContentJobsParts {
  readonly pool: Pool
  readonly limits: Limits
}

/** One collection's way of taking contents away. */
export interface Removal {
  /** Contents that are ours to take away once nothing refers to them, in order; what is announced among them. */
  candidates(): Promise<string[]>
  /** The record that names it is about to go. */
  announce(cacheId: string): Promise<void>
  /** It stands in limbo, at this path, and will not be put back: takes away what belongs to it elsewhere. */
  detach(path: string): Promise<void>
  /** It is gone, or in use after all. */
  done(cacheId: string): Promise<void>
  /** The collection has failed: the next one finds out what became of all that was announced. */
  abandon(): Promise<void>
  /** All that goes with it, by path. */
  pathsOf(cacheId: string): Promise<readonly string[]>
}

export interface UpperCheck {
  readonly lowers: () => Promise<Lowers>
  readonly full: boolean
  readonly pace: (bytes: number) => Promise<void>
}

export interface ContainerPlace {
  /** The container's id. */
  readonly container: string
  readonly mountId: string
}

/** What died before its container had a record, or after. */
export interface UpperLeftover {
  /** Its directory, or the container's id. */
  readonly name: string
  /** Whose mount it has, if it has one. */
  readonly container?: string
  /** All that belongs to it. */
  readonly paths: readonly string[]
}

/** What containers have changed: each in a directory of its own, `paths.containerUpper(mountId)`. */
/** What goes with a change of a container's record. */
export interface UpperChange<T> {
  /** To be called when the record stands, or is gone. */
  done(): Promise<T>
  /** To be called after a failure: the next `clear` finds out what became of it. */
  abandoned(): Promise<void>
}

export interface Uppers {
  /**
   * Begins one in an empty directory of a stage. `root`: attributes of the union's root. `below`: cache-id of the topmost layer;
   * undefined: from scratch.
   */
  make(staged: string, root: NewNode, below: string | undefined): Promise<void>
  /** For whoever holds the container. `lowers` is asked for by an upper that has to know what lies below. */
  open(directory: string, lowers: () => Promise<Lowers>): Promise<Upper>
  /** For somebody who only looks. */
  look(directory: string, lowers: () => Promise<Lowers>): Promise<Upper>
  /**
   * Whether it can be read, whoever holds it; with `full` also its bytes, as far as they have checksums. `pace` is awaited after so
   * many more bytes. @throws STORE_CORRUPT, CONTAINER_CHANGED, STORE_IO, STORE_VERSION
   */
  check(directory: string, options: UpperCheck): Promise<void>
  /** Puts it in its place. Called under the root lock. */
  publish(staged: string, place: ContainerPlace, below: string | undefined): Promise<UpperChange<void>>
  /** The container's record is about to go. What is to be done when it is gone says where in the trash the directory is. */
  remove(place: ContainerPlace): Promise<UpperChange<string | undefined>>
  /** What `clear` would take away. Under the root lock, so that nothing of it is being made. */
  leftovers(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]>
  /** Takes to the trash what died before it had a record, or after. Under the root lock. Answers with what went. */
  clear(containers: readonly ContainerPlace[]): Promise<UpperLeftover[]>
}

export interface Driver {
  readonly name: DriverName
  /** Layers of one image at most. */
  readonly mostLayers: number

  /** The cache-id that the content of a diffId has under every parent; undefined where each chain has a content of its own. */
  cacheIdOf(diffId: DiffId): string | undefined
  /** Whether it is there, as far as a look tells, or was put back by this look. */
  hasContent(cacheId: string): Promise<boolean>
  /** cache-ids of what is there, as far as names tell. */
  stored(): Promise<ReadonlySet<string>>
  /**
   * Bytes on the disk that the content of a layer takes at least whose tar has so many. `contentBytes`: of its files, for whom the
   * size of the tar says nothing.
   */
  leastBytes(tarBytes: number, contentBytes: () => Promise<number>): Promise<number>
  /** @throws STORE_CORRUPT when a content that is said to be there is not */
  publish(content: NewContent): Promise<PublishedContent>
  /** @throws STORE_CORRUPT, STORE_VERSION, STORE_IO, naming the file */
  open(content: LayerContent): Promise<OpenLayer>
  /** The layer's exact tar, where the layer itself is not read out of it. */
  openTar(content: LayerContent, options?: TarOptions): Promise<OpenTar>
  /** Where a job finds the contents of a layer that this driver has opened. */
  contentSource(layer: Layer): ContentSource
  /** Where a job finds the content of a file of a layer that this driver has opened. */
  contentOf(layer: Layer, inode: number): PlannedContent
  /** Where the exact tar of a layer is, or its parts, whether they are there or not. */
  sourceOf(content: Pick<LayerContent, 'chainId' | 'cacheId'>): TarSource
  jobs(parts: ContentJobsParts): ContentJobs

  readonly uppers: Uppers
  removal(): Removal
  /**
   * cache-ids of layers that something stands on which is no layer: containers, builds and mounts, also of others. `except`: directories
   * that do not count.
   */
  pinned(except: ReadonlySet<string>): Promise<ReadonlySet<string>>
  /** What Docker's `inspect` says of where an image's layers are, topmost first. */
  graphData(cacheIds: readonly string[]): Readonly<Record<string, string>> | null
  /** Names of what stands among the contents and is neither these, nor ours: never touched, but told. */
  foreign(known: ReadonlySet<string>): Promise<readonly string[]>
}
