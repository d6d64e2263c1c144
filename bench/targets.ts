/**
 * The numbers to reach: every row of an issue's Numbers table, with its bound and the question that measures it.
 * `npm run bench -- --check` compares medians with them. A row that names several figures stands here as several.
 */
import type { QuestionName } from './questions.js'

/** × is a ratio of two times of one round; MB is 10^6 bytes. */
export type Unit = '×' | 's' | 'ms' | 'MB' | '/s' | 'requests'

export interface Target {
  readonly issue: number
  /** The measure that its question reports. */
  readonly measure: string
  readonly what: string
  readonly unit: Unit
  readonly direction: 'at least' | 'at most'
  readonly bound: number
  readonly question: QuestionName
}

/** Of the layer whose peak memory may grow with its entries. */
export const manyEntries = 1_000_000
/** 350 MB, and 200 bytes an entry. */
const manyEntriesMegabytes = 350 + (200 * manyEntries) / 1e6

export const layerCounts = [1, 10, 100] as const
/** Of images whose costs are compared with those of one layer. */
export const manyLayers = [25, 125] as const
/** Of the images that are looked up in. */
export const lookupCounts = [...layerCounts, ...manyLayers] as const

const packedStore: readonly Omit<Target, 'issue'>[] = [
  {
    measure: 'load: docker load / phyllo load, lz4-napi',
    what: 'load app.tar: docker load ÷ phyllo, LZ4 by lz4-napi alone',
    unit: '×',
    direction: 'at least',
    bound: 7,
    question: 'load',
  },
  {
    measure: 'load: phyllo load, stored / openssl dgst',
    what: 'load app.tar, compression none ÷ openssl dgst -sha256 of it',
    unit: '×',
    direction: 'at most',
    bound: 1.5,
    question: 'load',
  },
  {
    measure: 'load: docker load / phyllo load of gzip layers',
    what: 'docker load of app.tar ÷ phyllo load of app-oci.tar',
    unit: '×',
    direction: 'at least',
    bound: 3.5,
    question: 'load',
  },
  {
    measure: 'load: again',
    what: 'load app.tar again, all there',
    unit: 's',
    direction: 'at most',
    bound: 0.3,
    question: 'load',
  },
  {
    measure: 'save: docker save / phyllo save',
    what: 'save app:v1 as docker-archive: docker save ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 8,
    question: 'save',
  },
  {
    measure: 'cores: app',
    what: 'load app.tar: on one core ÷ on all',
    unit: '×',
    direction: 'at least',
    bound: 1.6,
    question: 'cores',
  },
  {
    measure: 'cores: one layer',
    what: 'load one layer of 1 GiB: on one core ÷ on all',
    unit: '×',
    direction: 'at least',
    bound: 1.4,
    question: 'cores',
  },
  {
    measure: 'memory: large layer',
    what: 'peak memory: load a layer of 8 GiB, incompressible',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'memory',
  },
  {
    measure: 'memory: large layer, gzip from stdin',
    what: 'peak memory: the same, gzip from stdin',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'memory',
  },
  {
    measure: 'memory: many entries',
    what: 'peak memory: load a layer of 1,000,000 entries',
    unit: 'MB',
    direction: 'at most',
    bound: manyEntriesMegabytes,
    question: 'memory',
  },
  {
    measure: 'startup: phyllo cat / node -e 0',
    what: 'phyllo cat app:v1 /etc/os-release ÷ node -e 0',
    unit: '×',
    direction: 'at most',
    bound: 3,
    question: 'startup',
  },
  ...layerCounts.map(
    count =>
      ({
        measure: `lookup: ${count} layers`,
        what: `view.statSync, ${count} layer${count === 1 ? '' : 's'}`,
        unit: '/s',
        direction: 'at least',
        bound: 1_200_000,
        question: 'lookup',
      }) as const,
  ),
  ...layerCounts
    .filter(count => count > 1)
    .map(
      count =>
        ({
          measure: `lookup: 1 layer / ${count} layers`,
          what: `view.statSync: rate at 1 layer ÷ at ${count} layers`,
          unit: '×',
          direction: 'at most',
          bound: 1.2,
          question: 'lookup',
        }) as const,
    ),
  {
    measure: 'read: readdir and readFile / stored order',
    what: 'all contents of app:v1: readdir + readFile ÷ a walk in stored order',
    unit: '×',
    direction: 'at least',
    bound: 3,
    question: 'read',
  },
  ...['load', 'save', 'readFile'].flatMap(work => [
    {
      measure: `event loop: ${work}, p99`,
      what: `event loop delay during ${work}, p99`,
      unit: 'ms',
      direction: 'at most',
      bound: 10,
      question: 'event-loop',
    } as const,
    {
      measure: `event loop: ${work}, max`,
      what: `event loop delay during ${work}, max`,
      unit: 'ms',
      direction: 'at most',
      bound: 50,
      question: 'event-loop',
    } as const,
  ]),
]

const containers: readonly Omit<Target, 'issue'>[] = [
  {
    measure: 'container: statSync, kernel / ours',
    what: 'warm statSync in 10 layers: kernel overlay ÷ container',
    unit: '×',
    direction: 'at least',
    bound: 6,
    question: 'container-read',
  },
  ...['in one layer', 'over all of 10 layers'].map(
    where =>
      ({
        measure: `container: readdirSync ${where}, kernel / ours`,
        what: `readdirSync of 1,000 names ${where}: kernel overlay ÷ container`,
        unit: '×',
        direction: 'at least',
        bound: 3,
        question: 'container-read',
      }) as const,
  ),
  ...(
    [
      ['lz4', 'random', 0.4],
      ['lz4', 'directory', 1.5],
      ['none', 'random', 2],
    ] as const
  ).map(
    ([compression, order, bound]) =>
      ({
        measure: `container: readFileSync, ${compression}, ${order} order, kernel / ours`,
        what: `readFileSync of small files, ${compression}, ${order} order, lz4-napi: kernel overlay ÷ container`,
        unit: '×',
        direction: 'at least',
        bound,
        question: 'container-files',
      }) as const,
  ),
  {
    measure: 'container: new files, kernel / ours',
    what: '10,000 new files, one after the other: kernel overlay ÷ container',
    unit: '×',
    direction: 'at least',
    bound: 4,
    question: 'container-write',
  },
  {
    measure: 'container: rename of a lower directory',
    what: 'rename of a lower directory with 10,000 files',
    unit: 'ms',
    direction: 'at most',
    bound: 5,
    question: 'container-write',
  },
  {
    measure: 'commit: docker commit / phyllo commit',
    what: 'commit of 10,000 files, 200 MB: docker ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 5,
    question: 'commit',
  },
  ...['lookup', 'readdir', 'commit'].flatMap(what =>
    manyLayers.map(
      count =>
        ({
          measure: `layers: ${what} at ${count} / at 1`,
          what: `${what} at ${count} layers ÷ at 1`,
          unit: '×',
          direction: 'at most',
          bound: 1.15,
          question: 'layers',
        }) as const,
    ),
  ),
  {
    measure: 'reopen: 100,000 records',
    what: 'open a container of 100,000 journal records',
    unit: 'ms',
    direction: 'at most',
    bound: 300,
    question: 'reopen',
  },
  {
    measure: 'event loop: commit, p99',
    what: 'event loop delay during commit, p99',
    unit: 'ms',
    direction: 'at most',
    bound: 10,
    question: 'event-loop',
  },
]

const dockersStore: readonly Omit<Target, 'issue'>[] = [
  {
    measure: 'overlay2: docker load / load',
    what: 'load app.tar, driver overlay2: docker load ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 4,
    question: 'overlay2',
  },
  {
    measure: 'overlay2: tar -x / load',
    what: 'unpacking its layers: GNU tar -x of each in turn ÷ the whole load',
    unit: '×',
    direction: 'at least',
    bound: 1,
    question: 'overlay2',
  },
  {
    measure: 'overlay2: docker save / save',
    what: 'save app:v1 from overlay2: docker save ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 5,
    question: 'overlay2',
  },
  {
    measure: 'overlay2 memory: large layer',
    what: 'peak memory, driver overlay2: load a layer of 8 GiB, incompressible',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'overlay2-memory',
  },
  {
    measure: 'overlay2 memory: large layer, gzip from stdin',
    what: 'peak memory, driver overlay2: the same, gzip from stdin',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'overlay2-memory',
  },
  {
    measure: 'overlay2 memory: many entries',
    what: 'peak memory, driver overlay2: load a layer of 1,000,000 entries',
    unit: 'MB',
    direction: 'at most',
    bound: manyEntriesMegabytes,
    question: 'overlay2-memory',
  },
  {
    measure: 'overlay2: docker rmi / rmi',
    what: 'remove app:v1 from overlay2: docker rmi ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 1.2,
    question: 'overlay2',
  },
  {
    measure: 'unpack: umoci unpack / phyllo unpack',
    what: 'unpack app:v1: umoci unpack ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 6,
    question: 'unpack',
  },
  {
    measure: 'unpack: tar -x of all layers / phyllo unpack',
    what: 'unpack app:v1: GNU tar -x of all layers in turn ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 1.3,
    question: 'unpack',
  },
]

const livingStore: readonly Omit<Target, 'issue'>[] = [
  {
    measure: 'rmi: docker rmi / phyllo rmi',
    what: 'remove app:v1, packed, ext4, its room free: docker rmi ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 50,
    question: 'remove',
  },
  {
    measure: 'images: 1,000 images, 5,000 layers',
    what: 'phyllo images, 1,000 images of 5,000 layers, start to end',
    unit: 'ms',
    direction: 'at most',
    bound: 500,
    question: 'many-images',
  },
  {
    measure: 'open: 1,000 stale stages',
    what: 'open a store with 1,000 stale stages',
    unit: 's',
    direction: 'at most',
    bound: 0.5,
    question: 'stale-stages',
  },
  {
    measure: 'load: full / none and dd',
    what: 'load app.tar: durability full ÷ (none + dd conv=fsync of the same bytes)',
    unit: '×',
    direction: 'at most',
    bound: 1.15,
    question: 'durable-load',
  },
  {
    measure: 'gc: p99 of open and read / idle',
    what: 'p99 of open + read: while gc runs ÷ idle',
    unit: '×',
    direction: 'at most',
    bound: 1.5,
    question: 'read-beside-gc',
  },
]

const registries: readonly Omit<Target, 'issue'>[] = [
  {
    measure: 'pull: docker pull / phyllo pull',
    what: 'pull app:v1 from loopback into packed: docker pull ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 3.5,
    question: 'pull',
  },
  {
    measure: 'pull: podman pull / phyllo pull',
    what: 'the same: podman pull ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 3.5,
    question: 'pull',
  },
  {
    measure: 'pull: peak memory',
    what: 'peak memory: the same pull',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'pull',
  },
  {
    measure: 'event loop: pull, p99',
    what: 'event loop delay during the same pull, p99',
    unit: 'ms',
    direction: 'at most',
    bound: 10,
    question: 'pull',
  },
  {
    measure: 'pull: again',
    what: 'pull app:v1 again, all there, start to end',
    unit: 's',
    direction: 'at most',
    bound: 0.4,
    question: 'pull',
  },
  {
    measure: 'pull: again, requests',
    what: 'requests of that',
    unit: 'requests',
    direction: 'at most',
    bound: 5,
    question: 'pull',
  },
  {
    measure: 'gzip: one worker / two',
    what: 'save one layer of 1 GiB as an OCI archive: by one worker ÷ by two',
    unit: '×',
    direction: 'at least',
    bound: 1.8,
    question: 'gzip',
  },
  {
    measure: 'gzip: bytes / by one thread',
    what: 'its bytes, gzipped in chunks ÷ by one stream of the same level',
    unit: '×',
    direction: 'at most',
    bound: 1.01,
    question: 'gzip',
  },
  {
    measure: 'gzip: peak memory',
    what: 'peak memory: the same save',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'gzip',
  },
  {
    measure: 'event loop: save of an OCI archive, p99',
    what: 'event loop delay during the same save, p99',
    unit: 'ms',
    direction: 'at most',
    bound: 10,
    question: 'gzip',
  },
  {
    measure: 'push: docker push / phyllo push',
    what: 'push app:v1 to an empty registry: docker push ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 1.3,
    question: 'push',
  },
  {
    measure: 'push: skopeo copy / phyllo push',
    what: 'the same: skopeo copy of its layers in files ÷ phyllo',
    unit: '×',
    direction: 'at least',
    bound: 0.8,
    question: 'push',
  },
  {
    measure: 'push: peak memory',
    what: 'peak memory: the same push',
    unit: 'MB',
    direction: 'at most',
    bound: 350,
    question: 'push',
  },
  {
    measure: 'event loop: push, p99',
    what: 'event loop delay during the same push, p99',
    unit: 'ms',
    direction: 'at most',
    bound: 10,
    question: 'push',
  },
]

export const targets: readonly Target[] = [
  ...packedStore.map(target => ({ issue: 2, ...target })),
  ...containers.map(target => ({ issue: 3, ...target })),
  ...dockersStore.map(target => ({ issue: 4, ...target })),
  ...livingStore.map(target => ({ issue: 5, ...target })),
  ...registries.map(target => ({ issue: 6, ...target })),
]
