/**
 * The power of a disk is cut while a process changes a store on it: a loop-mounted ext4 that is shut down by its own ioctl, so that
 * nothing that is not on the disk gets there any more (ext4's EXT4_IOC_SHUTDOWN).
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Container, PhylloError, type Store } from '../../src/index.js'
import type { Pool } from '../../src/pool/pool.js'
import { writeArchive } from './crash-images.js'
import { type CrashDriver, openStore } from './crash-operations.js'
import { assertClean, recover } from './crash-recovery.js'
import { judge } from './naive-store.js'
import { compiledRoot } from './repo.js'
import { randomOf } from './upper-sequence.js'

const diskBytes = 256 * 1024 * 1024
/** EXT4_GOING_FLAGS_LOGFLUSH and _NOLOGFLUSH: with what the journal has in memory, and without. */
const flags = [1, 2] as const

/** Opens the root of the file system, and cuts its power when told to with what flag. */
const cutter = `
import fcntl, os, struct, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
print('ready', flush=True)
fcntl.ioctl(fd, 0x8004587d, struct.pack('I', int(sys.stdin.readline())))
print('cut', flush=True)
`

export interface PowerCutOptions {
  readonly driver: CrashDriver
  /** `none`: a writer that does not care, and has to lose something. */
  readonly durability: 'full' | 'none'
  /** Where the disk's image and the archives are. */
  readonly dir: string
  readonly pool: Pool
}

export interface Cut {
  /** Changes that were told before the power went. */
  readonly told: number
  readonly flag: number
}

/** A disk with a store: its power is cut again and again, and it goes on with what is there. */
export class CutDisk implements AsyncDisposable {
  readonly #options: PowerCutOptions
  readonly #home: string
  readonly #mount: string
  readonly archives: string
  #device = ''
  #image: string
  #copies = 0

  private constructor(options: PowerCutOptions) {
    this.#options = options
    this.#home = mkdtempSync(join(options.dir, 'disk-'))
    this.#mount = join(this.#home, 'mount')
    this.archives = join(this.#home, 'archives')
    this.#image = join(this.#home, 'image')
  }

  static async make(options: PowerCutOptions): Promise<CutDisk> {
    const disk = new CutDisk(options)
    mkdirSync(disk.#mount)
    mkdirSync(disk.archives)
    for (const key of ['a', 'b', 'c', 'd'] as const)
      writeArchive(disk.archives, `${key}.tar`, { [key]: [`${key}:x`, `${key}:y`] })
    writeFileSync(disk.#image, '')
    truncateSync(disk.#image, diskBytes)
    execFileSync('mkfs.ext4', ['-q', disk.#image])
    disk.#mountIt()
    mkdirSync(join(disk.#mount, 'out'))
    const archive = writeArchive(disk.#home, 'first.tar', { a: ['keep:1'] })
    await using store = await openStore(disk.#mount, options.driver, { pool: options.pool })
    await store.load(archive)
    await using box = await store.create('keep:1', { name: 'box' })
    box.mkdirSync('/data')
    await box.close()
    await store.close()
    execFileSync('sync')
    return disk
  }

  /** Throws AssertionError when something is lost or broken. */
  async cut(seed: number): Promise<Cut> {
    const random = randomOf(seed)
    const flag = flags[random(2)]!
    const cutter = await this.#cutter()
    const { durability } = this.#options
    const program = join(compiledRoot, 'test/build/power-process.js')
    const words = [program, this.store, this.archives, this.outputs, String(seed), durability]
    // Its disk goes away below it: what it has to say of that does not matter.
    const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'ignore'] })
    const ended = once(child, 'close')
    const lines = await talk(child, random(12), random(40))
    await cutter(flag)
    const said = lines()
    child.kill('SIGKILL')
    await ended
    await this.#remount()
    await this.#verify(said, seed)
    return { told: said.filter(line => line.startsWith('ok')).length, flag }
  }

  /** Cuts the power when this has been done, and leaves the disk as it is then. */
  async cutAfter(work: (store: Store) => Promise<void>): Promise<void> {
    const { driver, durability, pool } = this.#options
    const cutter = await this.#cutter()
    const store = await openStore(this.#mount, driver, { pool, durability })
    await work(store)
    await cutter(2)
    // It cannot end what it has begun.
    await store.close().catch((error: unknown) => assert.match((error as PhylloError).code, /^(STORE_IO|EIO)$/))
    await this.#remount()
  }

  /** Asks the container `box` of the store. */
  async inBox<T>(ask: (box: Container) => T): Promise<T> {
    const { driver, pool } = this.#options
    await using store = await openStore(this.#mount, driver, { pool })
    await using box = await store.container('box', { readOnly: true })
    return ask(box)
  }

  async #cutter(): Promise<(flag: number) => Promise<void>> {
    const python = spawn('python3', ['-c', cutter, this.#mount], { stdio: ['pipe', 'pipe', 'inherit'] })
    await once(python.stdout, 'data')
    return async flag => {
      python.stdin.end(`${flag}\n`)
      await once(python, 'close')
      assert.equal(python.exitCode, 0, 'the power could not be cut')
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#unmount()
    rmSync(this.#home, { recursive: true })
  }

  async #verify(said: readonly string[], seed: number): Promise<void> {
    const { driver, pool } = this.#options
    const last = said.findLastIndex(line => line.startsWith('ok '))
    assert.ok(last >= 0, `seed ${seed}: it said nothing`)
    const told = new Map(Object.entries(JSON.parse(said[last]!.slice(3)) as Record<string, string>))
    const open = new Set(keysOf(said[last + 1] ?? 'begin'))
    assert.deepEqual(judge(this.store).findings, [], `seed ${seed}`)
    const found = await this.#found()
    const wrong = [...new Set([...told.keys(), ...found.keys()])]
      .filter(key => !open.has(key) && told.get(key) !== found.get(key))
      .map(key => `${key} is ${found.get(key)}, not ${told.get(key)}`)
    assert.deepEqual(wrong, [], `seed ${seed}`)
    await recover(this.#mount, driver, pool)
    assert.deepEqual(judge(this.store, { atRest: true }).findings, [], `seed ${seed}, collected`)
    await assertClean(this.#mount, driver, pool)
    for (const name of readdirSync(this.outputs)) if (name.startsWith('.')) rmSync(join(this.outputs, name))
  }

  /** Everything that the process may have told of, by what others see. */
  async #found(): Promise<Map<string, string>> {
    const { tags, containers } = judge(this.store)
    const found = new Map([...tags].map(([name, id]) => [`tag ${name}`, id]))
    for (const name of containers) found.set(`container ${name}`, '')
    for (const name of readdirSync(this.outputs))
      if (!name.startsWith('.')) found.set(`out ${name}`, sha256(readFileSync(join(this.outputs, name))))
    for (const [path, hash] of await this.inBox(shownFiles)) found.set(`box ${path}`, hash)
    return found
  }

  get outputs(): string {
    return join(this.#mount, 'out')
  }

  get store(): string {
    return join(this.#mount, 'store')
  }

  #mountIt(): void {
    this.#device = execFileSync('losetup', ['-f', '--show', this.#image], { encoding: 'utf8' }).trim()
    execFileSync('mount', [this.#device, this.#mount])
  }

  /**
   * With a copy of what is on the disk by now: another mount namespace may still have the old mount, and what the kernel then writes
   * to the old device late would spoil a file system that goes on.
   */
  async #remount(): Promise<void> {
    await this.#unmount()
    const old = this.#image
    this.#image = join(this.#home, `image-${++this.#copies}`)
    execFileSync('cp', ['--sparse=always', old, this.#image])
    rmSync(old)
    this.#mountIt()
  }

  /** A process that was just killed may still be on its way. */
  async #unmount(): Promise<void> {
    for (let tries = 100; ; tries--)
      try {
        execFileSync('umount', [this.#mount], { stdio: 'pipe' })
        return void execFileSync('losetup', ['-d', this.#device])
      } catch (error) {
        if (tries === 0) throw error
        await sleep(50)
      }
  }
}

/** The proof that this finds what is lost. Throws when nothing is after many cuts. */
export async function losesSomething(options: PowerCutOptions, seed: number): Promise<number> {
  for (let cuts = 1; cuts <= mostControlCuts; cuts++) {
    await using disk = await CutDisk.make(options)
    try {
      await disk.cut(seed + cuts)
    } catch (error) {
      if (!(error instanceof assert.AssertionError || error instanceof SyntaxError || error instanceof PhylloError))
        throw error
      return cuts
    }
  }
  throw new Error(`nothing was lost in ${mostControlCuts} cuts without a sync`)
}

const mostControlCuts = 10

function keysOf(line: string): string[] {
  return line.match(/(tag|box|out|container) \S+/g) ?? []
}

/** Waits for some lines, and a moment longer. Answers with all that was said by the time it is asked. */
async function talk(child: ChildProcess, oks: number, ms: number): Promise<() => string[]> {
  let text = ''
  const lines = () => text.split('\n').slice(0, -1)
  const count = () => lines().filter(line => line.startsWith('ok')).length
  await new Promise<void>((resolve, reject) => {
    child.stdout!.on('data', (bytes: Buffer) => {
      text += bytes
      if (count() > oks) resolve()
    })
    child.once('close', () => reject(new Error('the process that changes the store ended by itself')))
  })
  await sleep(ms)
  return lines
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** What a container has in /data: path and hash. */
export function shownFiles(box: Pick<Container, 'readdirSync' | 'readFileSync'>): [path: string, hash: string][] {
  return (box.readdirSync('/data') as string[]).map(name => [
    `/data/${name}`,
    sha256(box.readFileSync(`/data/${name}`) as Buffer),
  ])
}
