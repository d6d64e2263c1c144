/**
 * The same images in a private dockerd and in a store of ours, and the client of docker 20.10 beside our command line:
 * what one prints is compared with what the other prints.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before } from 'node:test'
import { addDigestReference, ended, fileScratch, type Ran, runPhyllo } from './cli.js'
import { type Dockerd, dockerClient, startDockerd } from './dockerd.js'
import { archiveOf, imageIdOf } from './image.js'
import { child, full, shownArchives, unnamed } from './shown-images.js'

export type RanBytes = Ran & { readonly bytes: Buffer }

const digest = `sha256:${'ab'.repeat(32)}`

/** Filled with the images of shown-images.ts before the tests of the file that makes it, and gone after them. */
export class BothStores {
  readonly scratch = fileScratch()
  readonly root = join(this.scratch, 'store')
  // Short, because the daemon's socket is in it.
  readonly #dir = mkdtempSync('/tmp/pc-')
  #dockerd: Dockerd | undefined

  constructor() {
    before(() => this.#fill())
    after(async () => {
      await this.#dockerd?.stop()
      rmSync(this.#dir, { recursive: true, force: true })
    })
  }

  phyllo(words: readonly string[], env: NodeJS.ProcessEnv = {}, input?: Buffer): Promise<RanBytes> {
    return runPhyllo(words, { root: this.root, env, ...(input && { input }) })
  }

  docker(words: readonly string[], env: NodeJS.ProcessEnv = {}, input?: Buffer): Promise<RanBytes> {
    const own = { ...process.env, TZ: 'UTC', DOCKER_HOST: this.#dockerd!.host, ...env }
    const child = spawn(dockerClient, words, { env: own })
    // What it does not read is not this test's matter.
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    return ended(child)
  }

  /** The same standard output and status. */
  async same(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
    await this.#same(words, ({ stdout }) => stdout, env)
  }

  /** The same lines in any order: docker's own order differs from call to call where dates are equal. */
  async sameLines(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
    await this.#same(words, ({ stdout }) => stdout.split('\n').sort().join('\n'), env)
  }

  async #same(words: readonly string[], shown: (ran: Ran) => string, env?: NodeJS.ProcessEnv): Promise<void> {
    const run = () => Promise.all([this.docker(words, env), this.phyllo(words, env)])
    let [theirs, ours] = await run()
    // Once more: a minute may have passed between the two.
    if (shown(theirs) !== shown(ours)) [theirs, ours] = await run()
    const said = `${words.join(' ')}: ${theirs.stderr}${ours.stderr}`
    assert.deepEqual([ours.status, shown(ours)], [theirs.status, shown(theirs)], said)
  }

  async #fill(): Promise<void> {
    this.#dockerd = await startDockerd(this.#dir)
    for (const [index, members] of shownArchives().entries()) {
      const path = join(this.scratch, `${index}.tar`)
      writeFileSync(path, archiveOf(members))
      const [theirs, ours] = [await this.docker(['load', '-i', path]), await this.phyllo(['load', '-i', path])]
      assert.equal(ours.stdout, theirs.stdout)
    }
    // References by digest come from pulls; both stores keep them in a file of the same form.
    await this.#dockerd.stop()
    for (const dir of [join(this.#dockerd.root, 'image/overlay2'), join(this.root, 'image/packed')]) {
      const file = join(dir, 'repositories.json')
      addDigestReference(file, 'full', digest, imageIdOf(full))
      addDigestReference(file, 'full', digest.replaceAll('ab', 'cd'), imageIdOf(full))
      addDigestReference(file, 'pulled/by-digest', digest, imageIdOf(child))
      addDigestReference(file, 'quay.io/alone', digest, imageIdOf(unnamed))
    }
    this.#dockerd = await startDockerd(this.#dir)
  }
}
