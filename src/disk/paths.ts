/**
 * The store's directory tree, and the only file that joins its paths.
 *
 * ```text
 * <root>/                                        0710  modes as Docker makes them (facts of Docker's store, 0.1)
 * ├── image/<driver>/                            0700  what there is, in Docker's layout
 * │   ├── repositories.json                      0600
 * │   ├── imagedb/content/sha256/<image>         0700, file 0600
 * │   ├── imagedb/metadata/sha256/<image>/<key>  0700, file 0600
 * │   ├── layerdb/sha256/<chain>/{diff,size,cache-id,parent}   layerdb 0700, sha256 0755, <chain> 0700, files 0644
 * │   ├── layerdb/mounts/<container>/{mount-id,parent}         0755, files 0644
 * │   └── distribution/{diffid-by-digest,v2metadata-by-diffid}/sha256/<digest>   0700, below 0755, files 0644
 * ├── packed/<cache-id>.tar.lz4                  0710  driver packed: one file for each diffId, 0644
 * ├── packed/containers/<mount-id>/              0700  what a container has changed
 * ├── overlay2/<cache-id>/                       0710  driver overlay2: one directory for each chain, and for each container
 * │   └── {diff,link,lower,work,committed}       0755, 0644, 0644, 0700, 0600
 * ├── overlay2/l/<link>                          0700  symlink to ../<cache-id>/diff: what `lower` speaks of
 * ├── blobs/sha256/<digest>                      0700  blobs kept as they came
 * ├── partial/sha256/<digest>                    0700  downloads that can go on
 * └── phyllo/                                    0700  what Docker has no place for; files 0600
 *     ├── store.json                             format version, driver, lock protocol
 *     ├── lock                                   flocked for the moment of a read-modify-write
 *     ├── collect                                flocked by the one collector
 *     ├── owners/<owner>                         empty; flocked by a process for as long as its store is open
 *     ├── owners/<owner>.<n>                     a lease of that owner
 *     ├── stages/<owner>.<n>                     a stage of that owner: a directory, or a file about to be published
 *     ├── limbo/<place>@<owner>.<n>              set aside by a collector that has not yet decided
 *     ├── intents/<cache-id>@<owner>.<n>         driver overlay2: a directory of ours that no record names yet, or no longer
 *     ├── reserve/<n>                            for a full disk: given up by whoever has to remove something there
 *     ├── trash/<owner>.<n>                      no part of the store any more: anybody may delete it
 *     ├── quarantine/<place>@<owner>.<n>         what a repair has taken away or replaced
 *     └── containers/<container>.json            flocked by whoever has the container open for writing
 * ```
 */
import { basename, join, relative, sep } from 'node:path'
import { algorithmOf, type ChainId, type DiffId, type Digest, hexOf, type ImageId } from '../oci/digest.js'

export const driverNames = ['packed', 'overlay2'] as const
export type DriverName = (typeof driverNames)[number]

/** Beside the record of a layer, in its directory. */
export const tarSplitFile = 'tar-split.json.gz'

export function isDriverName(name: unknown): name is DriverName {
  return driverNames.includes(name as DriverName)
}

/** A cache-id may have capitals: Docker takes any string for one. */
const placeGrammar = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:![A-Za-z0-9][A-Za-z0-9._-]*)*$/

export class StorePaths {
  readonly root: string
  readonly driver: DriverName
  readonly image: string
  readonly repositories: string
  readonly imageConfigs: string
  readonly imageMetadatas: string
  readonly layers: string
  readonly mounts: string
  /** Where the driver keeps what layers contain. */
  readonly content: string
  readonly storeFile: string
  readonly lock: string
  readonly collectLock: string
  readonly owners: string
  readonly stages: string
  readonly limbo: string
  readonly trash: string
  /** Made when it is first needed. */
  readonly quarantine: string
  /** Made with the first file in it: see reserve.ts. */
  readonly reserve: string
  /** Of driver overlay2 alone. */
  readonly intents: string
  /** Of driver overlay2 alone: short names of `diff` directories. */
  readonly links: string
  readonly containers: string
  readonly partials: string
  readonly blobs: string
  /** Where the uppers of containers are. */
  readonly uppers: string

  constructor(root: string, driver: DriverName) {
    this.root = root
    this.driver = driver
    this.image = join(this.root, 'image', this.driver)
    this.repositories = join(this.image, 'repositories.json')
    this.imageConfigs = join(this.image, 'imagedb/content/sha256')
    this.imageMetadatas = join(this.image, 'imagedb/metadata/sha256')
    this.layers = join(this.image, 'layerdb/sha256')
    this.mounts = join(this.image, 'layerdb/mounts')
    this.content = join(this.root, this.driver)
    this.storeFile = join(this.root, 'phyllo/store.json')
    this.lock = join(this.root, 'phyllo/lock')
    this.collectLock = join(this.root, 'phyllo/collect')
    this.owners = join(this.root, 'phyllo/owners')
    this.stages = join(this.root, 'phyllo/stages')
    this.limbo = join(this.root, 'phyllo/limbo')
    this.trash = join(this.root, 'phyllo/trash')
    this.quarantine = join(this.root, 'phyllo/quarantine')
    this.reserve = join(this.root, 'phyllo/reserve')
    this.intents = join(this.root, 'phyllo/intents')
    this.links = join(this.content, 'l')
    this.containers = join(this.root, 'phyllo/containers')
    this.partials = join(this.root, 'partial')
    this.blobs = join(this.root, 'blobs')
    this.uppers = this.driver === 'packed' ? join(this.content, 'containers') : this.content
  }

  /** Every directory that a store always has, with its mode, parents first. */
  directories(): readonly (readonly [path: string, mode: number])[] {
    return [
      [this.root, 0o710],
      [join(this.root, 'image'), 0o700],
      [this.image, 0o700],
      [join(this.image, 'imagedb'), 0o700],
      [join(this.image, 'imagedb/content'), 0o700],
      [this.imageConfigs, 0o700],
      [join(this.image, 'imagedb/metadata'), 0o700],
      [this.imageMetadatas, 0o700],
      [join(this.image, 'layerdb'), 0o700],
      [this.layers, 0o755],
      [this.mounts, 0o755],
      [join(this.image, 'distribution'), 0o700],
      [join(this.image, 'distribution/diffid-by-digest'), 0o755],
      [join(this.image, 'distribution/diffid-by-digest/sha256'), 0o755],
      [join(this.image, 'distribution/v2metadata-by-diffid'), 0o755],
      [join(this.image, 'distribution/v2metadata-by-diffid/sha256'), 0o755],
      [this.content, 0o710],
      ...(this.driver === 'overlay2' ? ([[this.links, 0o700]] as const) : []),
      ...this.ownDirectories(),
    ]
  }

  /** The directories below `phyllo/`: all that has to be there before anything is locked. */
  ownDirectories(): readonly (readonly [path: string, mode: number])[] {
    const own = [join(this.root, 'phyllo'), this.owners, this.stages, this.limbo, this.trash, this.containers]
    if (this.driver === 'overlay2') own.push(this.intents)
    return own.map(path => [path, 0o700] as const)
  }

  /** Mode of any directory of the store, also of those that are made when first needed. */
  modeOf(directory: string): number {
    const known = this.directories().find(([path]) => path === directory)
    if (known !== undefined) return known[1]
    return directory.startsWith(`${this.mounts}${sep}`) ? 0o755 : 0o700
  }

  imageConfig(image: ImageId): string {
    return `${this.image}${sep}imagedb${sep}content${sep}${algorithmOf(image)}${sep}${hexOf(image)}`
  }

  imageMetadata(image: ImageId): string {
    return join(this.image, 'imagedb/metadata', algorithmOf(image), hexOf(image))
  }

  /** Docker scans the algorithm directory sha256 alone; a base layer known by its sha512 stands there, too. */
  layer(chain: ChainId): string {
    return this.below(this.layers, hexOf(chain))
  }

  /** What a container has changed: a directory of its own. */
  containerUpper(mountId: string): string {
    return join(this.uppers, mountId)
  }

  mount(container: string): string {
    return join(this.mounts, container)
  }

  diffIdByDigest(digest: Digest): string {
    return join(this.image, 'distribution/diffid-by-digest', algorithmOf(digest), hexOf(digest))
  }

  metadataByDiffId(diffId: DiffId): string {
    return join(this.image, 'distribution/v2metadata-by-diffid', algorithmOf(diffId), hexOf(diffId))
  }

  packedLayer(cacheId: string): string {
    return join(this.root, 'packed', `${cacheId}.tar.lz4`)
  }

  /** Where the driver keeps what one layer contains: a file (packed) or a directory (overlay2). */
  layerContent(cacheId: string): string {
    return this.driver === 'packed' ? this.packedLayer(cacheId) : join(this.content, cacheId)
  }

  /** What a layer of driver overlay2 has of its own, and what a container has changed there. */
  diff(cacheId: string): string {
    return join(this.layerContent(cacheId), 'diff')
  }

  /** Everything of a layer's tar but contents (driver overlay2). */
  tarSplit(chain: ChainId): string {
    return join(this.layer(chain), tarSplitFile)
  }

  /** Where the symlink of this short name stands. */
  link(link: string): string {
    return join(this.links, link)
  }

  /** What a dockerd that uses this root holds locked: a file, and files with this ending in a directory. */
  daemonLocks(): { readonly file: string; readonly directory: string; readonly ending: string } | undefined {
    if (this.driver !== 'overlay2') return undefined
    return { file: join(this.root, 'volumes/metadata.db'), directory: join(this.root, 'buildkit'), ending: '.db' }
  }

  /** Where the builder of a dockerd that has used this root says which layers it keeps. */
  builderSnapshots(): string {
    return join(this.root, 'buildkit/snapshots.db')
  }

  /** Where a dockerd that has used this root keeps its containers, a directory each. */
  dockerContainers(): string | undefined {
    return this.driver === 'overlay2' ? join(this.root, 'containers') : undefined
  }

  blob(digest: Digest): string {
    return join(this.blobs, algorithmOf(digest), hexOf(digest))
  }

  partial(digest: Digest): string {
    return join(this.partials, algorithmOf(digest), hexOf(digest))
  }

  container(id: string): string {
    return join(this.containers, `${id}.json`)
  }

  /** A name in a directory of the store. Not `join`: a listing makes thousands. */
  below(directory: string, name: string): string {
    return directory + sep + name
  }

  /** A path of the store as one file name, for limbo. */
  placeOf(path: string): string {
    return relative(this.root, path).split(sep).join('!')
  }

  /** The id of a directory of driver overlay2 that stands in limbo. */
  idInLimbo(path: string): string {
    return basename(this.pathOf(basename(path).replace(/@[^@]*$/, '')) ?? path)
  }

  /** Inverse of placeOf; undefined for a name that placeOf does not make. */
  pathOf(place: string): string | undefined {
    return placeGrammar.test(place) ? join(this.root, ...place.split('!')) : undefined
  }
}
