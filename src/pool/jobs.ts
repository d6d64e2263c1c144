/**
 * The protocol between main and workers: job names, inputs, outputs. Types only. Names and numbers cross threads;
 * bytes do not: a job gets paths and ranges, writes into the stage it was given, and answers with digests and counts.
 */
import type { Limits } from '../limits.js'
import type { DiffId, Digest } from '../oci/digest.js'

/**
 * Bytes of a file. `growing` is the counter of a file that is still being written (by main, from a stream): one
 * BigInt64 in a SharedArrayBuffer, the bytes that are there so far; its second BigInt64 becomes 1 when the writer has
 * ended and -1 when it failed. Readers wait on the first with Atomics.wait. A size of Infinity: all that there will be.
 */
export interface ByteRange {
  readonly path: string
  readonly offset: number
  readonly sizeBytes: number
  readonly growing?: SharedArrayBuffer
}

/** Where the exact tar of a layer comes from. */
export type TarSource =
  | { readonly layerFile: string }
  /** `diff`: the directory that the layer was unpacked into. */
  | { readonly tarSplit: string; readonly diff: string }

/** The tar of a layer that a store has, not compressed. */
export interface StoredTar {
  readonly tar: TarSource
  /** Of the tar. */
  readonly sizeBytes: number
}

/** What the content of a layer is made of. */
export type LayerInput = ByteRange | StoredTar

export type BlockCompression = 'lz4' | 'none'

/** Tar in, compressed or not, layer file out. Memory, if any, is a ring: compression/block-ring.ts. */
export interface WriteLayerInput {
  readonly source: LayerInput
  /** Where in the archive or store it stands, for messages: `app.tar: abc/layer.tar`. */
  readonly label: string
  /** File to create, inside the stage. */
  readonly target: string
  readonly compression: BlockCompression
  readonly limits: Limits
  /** Of the digest of the bytes as they stand. Default sha256. */
  readonly digestAlgorithm?: 'sha256' | 'sha512'
}

export interface WriteLayerOutput {
  readonly diffId: DiffId
  /** Digest of the bytes as they stood in the source. */
  readonly digest: Digest
  /** Uncompressed tar. */
  readonly tarBytes: number
  /** Docker's layer size: bytes of regular files, once per inode, plus lengths of symlink targets. */
  readonly sizeBytes: number
  readonly entries: number
  /** Of the layer file. */
  readonly fileBytes: number
  readonly warnings: readonly string[]
}

/** The same in, the content of an overlay2 layer out: `diff/` and `tar-split.json.gz` in a new directory, mode 0700. */
export interface UnpackLayerInput {
  readonly source: LayerInput
  readonly label: string
  /** Directory to create, inside the stage. */
  readonly target: string
  readonly limits: Limits
  readonly digestAlgorithm?: 'sha256' | 'sha512'
  /**
   * Bytes of the longest path by which `diff/` will ever be reached, mounts of it included. Entries whose path would be too long
   * there are refused, as those that are too long below the target are.
   */
  readonly placeBytes?: number
  /** Everything is on the disk when the job answers. */
  readonly durable?: boolean
}
/** `fileBytes`: of contents and tar-split. */
export type UnpackLayerOutput = WriteLayerOutput

/** Where the contents of a layer's files are: blocks of its tar, or files of their own. */
export type ContentSource = { readonly layerFile: string } | { readonly diff: string }

/** Blocks of layer files, and chunks of gzip. */
export type BlockCodecName = 'lz4' | 'deflate'

/** Blocks of a job compressed on another thread, in the ring that is the memory of both. */
export interface CompressBlocksInput {
  readonly codec: BlockCodecName
}
export interface CompressBlocksOutput {
  /** Content that this job compressed. */
  readonly bytes: number
}

/**
 * A layer's tar, gzipped into a file of the stage: the same bytes whether anybody helps or not. Memory, if any, is a ring.
 * See layer-gzip.ts.
 */
export interface GzipLayerInput {
  readonly source: TarSource
  readonly diffId: DiffId
  readonly target: string
  /** For whoever reads the file meanwhile: its counter, as of ByteRange. The job counts bytes; main says how it has ended. */
  readonly growing?: SharedArrayBuffer
}
export interface GzipLayerOutput {
  readonly digest: Digest
  readonly sizeBytes: number
}

/** Tars of layers, verified, each to its place in one file that is there already. */
export interface PlaceLayersInput {
  readonly target: string
  readonly layers: readonly {
    readonly source: TarSource
    readonly diffId: DiffId
    readonly tarBytes: number
    /** Where its tar begins in the target. */
    readonly position: number
  }[]
  /**
   * Several jobs share the work in pieces of so many bytes of tar; whoever takes a piece does it. What has to be assembled from its
   * beginning on is one piece, and the largest of these are taken first.
   */
  readonly pieceBytes: number
  /** One BigInt64 for each layer, the bytes of its tar that are placed, and one more: pieces that are taken, of all layers. */
  readonly counts: SharedArrayBuffer
}
export interface PlaceLayersOutput {
  /** Bytes that this job placed. */
  readonly bytes: number
}

/** The layer of a container's changes, out of the plan that main wrote into the stage: see tar/layer-plan.ts. */
export interface CommitLayerInput {
  /** May be growing still. Nothing that it speaks of changes while the job runs. */
  readonly plan: ByteRange
  /** Of the container, for messages. */
  readonly label: string
  /** File to create, inside the stage. */
  readonly target: string
  readonly compression: BlockCompression
  readonly limits: Limits
}
export type CommitLayerOutput = Omit<WriteLayerOutput, 'digest'>

/** The same, into a directory as unpack-layer makes one. */
export interface CommitDirectoryInput extends Omit<CommitLayerInput, 'compression'> {
  readonly placeBytes?: number
  readonly durable?: boolean
}

/** What a file or directory that this process makes there belongs to, and the permission bits that it can be born with. */
export interface Born {
  readonly uid: number
  readonly gid: number
  readonly modeBits: number
}

/** A merged tree written into a directory, after the plan that main wrote: see unpack/tree-plan.ts. */
export interface WriteTreeInput {
  /** The directory: is there, empty at first, and nobody else's. */
  readonly tree: string
  readonly plan: string
  /** Its parts, which several jobs share, while it is still being written: see unpack/plan-board.ts. */
  readonly board: SharedArrayBuffer
  /** Directories without attributes, then everything else, then the attributes of directories, from the last line of the plan to the first. */
  readonly step: 'directories' | 'nodes' | 'attributes'
  /** Where contents come from. */
  readonly sources: readonly ContentSource[]
  readonly born: Born
  /** How files may share their contents with the `diff` of their source. */
  readonly links?: 'reflink' | 'hardlink'
  /** Whether each file and directory goes to the disk by itself. */
  readonly sync: boolean
}
export interface WriteTreeOutput {
  readonly entries: number
  readonly bytes: number
  readonly shared: number
  /** By kind: how many paths, and the first of them as ByteStrings. */
  readonly notSet: Readonly<Record<NotSetKind, { readonly count: number; readonly examples: readonly string[] }>>
}

/** See unpack/not-set.ts. */
export type NotSetKind = 'owners' | 'setid' | 'modes' | 'xattrs' | 'devices' | 'fifos' | 'times'

/** Whether a content is what it was when it was written. Nothing is changed. */
export interface CheckContentInput {
  readonly source: TarSource
  readonly diffId: DiffId
  /** Every byte. Otherwise: whatever can be told without reading contents. */
  readonly full: boolean
  /** Bytes to read in a second at most. */
  readonly bytesPerSecond?: number
  readonly limits: Limits
}
export interface ContentDamage {
  /** Of a layer file: its index, what stands around its blocks, its blocks. Of a directory: tar-split, files. Or it is not there. */
  readonly part: 'index' | 'frame' | 'blocks' | 'tar-split' | 'files' | 'missing'
  readonly path: string
  readonly reason: string
}
export interface CheckContentOutput {
  readonly damage: readonly ContentDamage[]
  /** Docker's size of it; undefined where that cannot be told. */
  readonly sizeBytes: number | undefined
  readonly bytesRead: number
}

/** A file whose name is its digest. */
export interface CheckBlobInput {
  readonly path: string
  readonly digest: Digest
  readonly bytesPerSecond?: number
}
export interface CheckBlobOutput {
  readonly isWhole: boolean
  readonly bytesRead: number
}

/** A layer file out of the frame of another whose index is damaged. */
export interface RebuildLayerInput {
  readonly path: string
  readonly target: string
  readonly compression: BlockCompression
  readonly limits: Limits
}
export type RebuildLayerOutput = Omit<WriteLayerOutput, 'digest'>

export interface CountSplitInput {
  /** `tar-split.json.gz` of a layer. */
  readonly tarSplit: string
}

export interface CountSplitOutput {
  readonly tarBytes: number
}

export interface Jobs {
  readonly 'check-content': { readonly input: CheckContentInput; readonly output: CheckContentOutput }
  readonly 'check-blob': { readonly input: CheckBlobInput; readonly output: CheckBlobOutput }
  readonly 'count-split': { readonly input: CountSplitInput; readonly output: CountSplitOutput }
  readonly 'rebuild-layer': { readonly input: RebuildLayerInput; readonly output: RebuildLayerOutput }
  readonly 'write-layer': { readonly input: WriteLayerInput; readonly output: WriteLayerOutput }
  readonly 'unpack-layer': { readonly input: UnpackLayerInput; readonly output: UnpackLayerOutput }
  readonly 'commit-layer': { readonly input: CommitLayerInput; readonly output: CommitLayerOutput }
  readonly 'commit-directory': { readonly input: CommitDirectoryInput; readonly output: CommitLayerOutput }
  readonly 'compress-blocks': { readonly input: CompressBlocksInput; readonly output: CompressBlocksOutput }
  readonly 'gzip-layer': { readonly input: GzipLayerInput; readonly output: GzipLayerOutput }
  readonly 'write-tree': { readonly input: WriteTreeInput; readonly output: WriteTreeOutput }
  readonly 'place-layers': { readonly input: PlaceLayersInput; readonly output: PlaceLayersOutput }
}

export type JobName = keyof Jobs
