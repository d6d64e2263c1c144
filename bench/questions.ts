/** The table of questions: one file each. */
import type { InputName } from './corpus.js'
import type { PeerName } from './peers.js'
import type { Places } from './places.js'

/** What a question gets to work with. */
export interface Bench {
  readonly rounds: number
  /** Whether to measure what no target asks for, too: other peers, other file systems. */
  readonly beside: boolean
  readonly places: Places
  /** Path of an input that the question has named. */
  input(name: InputName): string
  /** Whether a peer that is not needed for a target is there. */
  has(peer: PeerName): boolean
  say(line: string): void
  /** Hands in the samples of a target's measure. */
  report(measure: string, samples: readonly number[]): void
}

export interface Question {
  readonly title: string
  /** Peers without which the question has no answer. */
  readonly peers?: readonly PeerName[]
  /** Peers that are measured beside. */
  readonly peersBeside?: readonly PeerName[]
  readonly inputs: readonly InputName[]
  ask(bench: Bench): Promise<void>
}

const load = async (module: Promise<{ readonly question: Question }>) => (await module).question

export const questions = {
  load: () => load(import('./load.js')),
  save: () => load(import('./save.js')),
  pull: () => load(import('./pull.js')),
  gzip: () => load(import('./gzip.js')),
  push: () => load(import('./push.js')),
  unpack: () => load(import('./unpack.js')),
  read: () => load(import('./read.js')),
  lookup: () => load(import('./lookup.js')),
  memory: () => load(import('./memory.js')),
  cores: () => load(import('./cores.js')),
  startup: () => load(import('./startup.js')),
  'event-loop': () => load(import('./event-loop.js')),
  'container-read': () => load(import('./container-read.js')),
  'container-files': () => load(import('./container-files.js')),
  'container-write': () => load(import('./container-write.js')),
  commit: () => load(import('./commit.js')),
  layers: () => load(import('./layers.js')),
  reopen: () => load(import('./reopen.js')),
  overlay2: () => load(import('./overlay2.js')),
  remove: () => load(import('./remove.js')),
  'many-images': () => load(import('./many-images.js')),
  'stale-stages': () => load(import('./stale-stages.js')),
  'durable-load': () => load(import('./durable-load.js')),
  'read-beside-gc': () => load(import('./read-beside-gc.js')),
  'overlay2-memory': async () => (await import('./memory.js')).overlay2Question,
  'micro-hash': () => load(import('./micro-hash.js')),
  'micro-lz4': () => load(import('./micro-lz4.js')),
  'micro-tar-scan': () => load(import('./micro-tar-scan.js')),
  'micro-index-open': () => load(import('./micro-index-open.js')),
  'micro-lookup': () => load(import('./micro-lookup.js')),
} as const satisfies Record<string, () => Promise<Question>>

export type QuestionName = keyof typeof questions

export const questionNames = Object.keys(questions) as QuestionName[]
