/** The public surface of Phyllo. Everything that is not here may change. */
export type { ImportOptions } from './archive/import.js'
export type { LoadOptions } from './archive/load.js'
export type { ArchiveInput } from './archive/open.js'
export type { SaveOptions } from './archive/save-target.js'
export { type ByteString, toBytes, toText } from './byte-string.js'
export type { CheckOptions, CheckReport } from './check/check.js'
export type { CheckDepth } from './check/kinds.js'
export type { Repaired, RepairOptions, RepairReport } from './check/repair.js'
export type {
  Container,
  CreateOptions,
  InspectOptions,
  ListContainersOptions,
  OpenContainerOptions,
} from './containers/containers.js'
export type { DiskUsage, DiskUsageOptions } from './containers/disk-usage.js'
export type { DockerContainer, DockerMount } from './containers/docker-containers.js'
export type { ContainerBounds, ContainerInfo } from './containers/record.js'
export type { RemoveOptions } from './containers/remove-image.js'
export type { CommitOptions, ExportOptions, GetArchiveOptions, PutArchiveOptions } from './containers/work.js'
export type { StoreRegistryOptions } from './distribution/connect.js'
export type { CopiedRemote, CopyRemoteOptions } from './distribution/copy-remote.js'
export type { LoggedIn, LoggedOut, LoginOptions } from './distribution/login.js'
export type { MirrorOptions, MirrorRule } from './distribution/mirrors.js'
export type { PullOptions } from './distribution/pull.js'
export type { Pushed, PushOptions } from './distribution/push.js'
export type { SearchFilters, SearchOptions, SearchResult } from './distribution/search.js'
export { type ErrorCode, type ErrorFacts, errorCodes, PhylloError } from './errors.js'
export type { CopyOptions } from './images/copy-images.js'
export type { DiskUsageRow, ImageUsage } from './images/disk-usage.js'
export type { Garbage, GarbageKind, GcOptions, GcReport } from './images/gc.js'
export type { HistoryItem, Image, ImageLayer } from './images/image.js'
export type { ListOptions } from './images/image-catalog.js'
export type { PruneOptions, PruneReport } from './images/prune.js'
export type { Removed } from './images/remove.js'
export type { NotSet, NotSetKind, UnpackOptions, UnpackReport } from './images/unpack.js'
export { defaultLimits, type Limits } from './limits.js'
export type { ContainerConfig, HistoryEntry, ImageConfig } from './oci/config.js'
export type { ChainId, DiffId, Digest, ImageId } from './oci/digest.js'
export type { Platform } from './oci/platform.js'
export type {
  Finding,
  FindingEvent,
  MilestoneEvent,
  Operation,
  OperationEvent,
  ProgressEvent,
  Report,
} from './operation.js'
export type { ChangesOptions, ContainerChange } from './overlay/difference/changes.js'
export { Pool, type PoolOptions } from './pool/pool.js'
export type { Credential, CredentialSource, CredentialStore } from './registry/credential.js'
export type { RegistryOptions, Retries, Timeouts } from './registry/options.js'
export type { ProxyOptions } from './registry/proxies.js'
export type { Found } from './registry/search.js'
export { Store } from './store.js'
export type { StoreOptions } from './store-options.js'
export type { PulledTag } from './store-registries.js'
