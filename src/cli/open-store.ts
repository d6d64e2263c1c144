/** Opens the store that the options, the environment or the XDG convention name. */
import { homedir } from 'node:os'
import { join } from 'node:path'
import { Store, type StoreOptions } from '../index.js'
import { listOf, type Options, UsageError } from './command.js'

export function rootOf(options: Options, env: NodeJS.ProcessEnv): string {
  if (typeof options.root === 'string') return options.root
  if (env.PHYLLO_ROOT) return env.PHYLLO_ROOT
  return join(env.XDG_DATA_HOME || join(env.HOME ?? homedir(), '.local', 'share'), 'phyllo')
}

/** Another store than the one that the options name. */
export interface OtherStore {
  readonly root: string
  readonly driver: string | undefined
}

interface How {
  readonly write: boolean
  readonly tidy?: boolean
}

/** `write: false` opens for looking: nothing is made, locked or leased, so it is quick, and works on what may not be written. */
function openStore(options: Options, env: NodeJS.ProcessEnv, how: How): Promise<Store> {
  const { write, tidy = true } = how
  const chosen: { -readonly [K in keyof StoreOptions]: StoreOptions[K] } = write ? { tidy } : { readOnly: true }
  if (options.driver !== undefined) chosen.driver = oneOf(options, 'driver', ['packed', 'overlay2'])
  if (options.compression !== undefined) chosen.compression = oneOf(options, 'compression', ['lz4', 'none'])
  if (options.durability !== undefined) chosen.durability = oneOf(options, 'durability', ['full', 'none'])
  if (options.workers !== undefined) chosen.workers = wholeNumber(options, 'workers')
  if (options.blobs !== undefined) chosen.blobs = oneOf(options, 'blobs', ['keep', 'drop'])
  if (options['concurrent-downloads'] !== undefined)
    chosen.concurrentDownloads = wholeNumber(options, 'concurrent-downloads', 1)
  const daemonJson = options['daemon-config']
  chosen.registry = { realms: realmsOf(options), ...(typeof daemonJson === 'string' && { daemonJson }) }
  return Store.open(rootOf(options, env), chosen)
}

/** What one command has opened: its store once for looking and once for writing at most. Who has it open for writing looks there, too. */
export class OpenedStores {
  readonly #options: Options
  readonly #env: NodeJS.ProcessEnv
  readonly #others: Promise<Store>[] = []
  #reading: Promise<Store> | undefined
  #writing: Promise<Store> | undefined

  constructor(options: Options, env: NodeJS.ProcessEnv) {
    this.#options = options
    this.#env = env
  }

  async store(write: boolean | 'if possible', tidy: boolean): Promise<Store> {
    if (write !== 'if possible') return this.#store(write, tidy)
    try {
      return await this.#store(true, tidy)
    } catch (error) {
      if (!isForReadingOnly(error)) throw error
      this.#writing = undefined
      return this.#store(false, tidy)
    }
  }

  #store(write: boolean, tidy: boolean): Promise<Store> {
    if (write) return (this.#writing ??= openStore(this.#options, this.#env, { write, tidy }))
    return this.#writing ?? (this.#reading ??= openStore(this.#options, this.#env, { write }))
  }

  /** Before anything is opened. */
  restore(): Promise<string | undefined> {
    return Store.restore(rootOf(this.#options, this.#env))
  }

  /** For writing, with all else as the options say. */
  other({ root, driver }: OtherStore): Promise<Store> {
    const opening = openStore({ ...this.#options, root, driver }, this.#env, { write: true })
    this.#others.push(opening)
    return opening
  }

  /** Whoever could not open one has heard of it. */
  async close(): Promise<void> {
    for (const store of await Promise.allSettled([this.#reading, this.#writing, ...this.#others]))
      if (store.status === 'fulfilled') await store.value?.close()
  }
}

/** `--realm registry.example=auth.example`, by registry. */
function realmsOf({ realm }: Options): Readonly<Record<string, readonly string[]>> {
  const realms: Record<string, string[]> = Object.create(null)
  for (const word of listOf(realm)) {
    const [, registry, host] = /^([^=]+)=([^=]+)$/.exec(word) ?? []
    if (registry === undefined || host === undefined)
      throw new UsageError(`--realm is REGISTRY=HOST, not ${JSON.stringify(word)}`)
    realms[registry] = [...(realms[registry] ?? []), host]
  }
  return realms
}

/** A dockerd has it, or whoever asks may not write there. */
function isForReadingOnly(error: unknown): boolean {
  const { code, errno } = error as { readonly code?: string; readonly errno?: string }
  return code === 'STORE_BUSY' || (code === 'STORE_IO' && ['EACCES', 'EPERM', 'EROFS'].includes(errno ?? ''))
}

function oneOf<T extends string>(options: Options, name: string, values: readonly T[]): T {
  const value = values.find(known => known === options[name])
  if (value === undefined)
    throw new UsageError(`--${name} is one of ${values.join(', ')}, not ${String(options[name])}`)
  return value
}

function wholeNumber(options: Options, name: string, least = 0): number {
  const value = Number(options[name])
  if (!Number.isInteger(value) || value < least || value > 1024)
    throw new UsageError(`--${name} is a whole number from ${least} to 1024, not ${String(options[name])}`)
  return value
}
