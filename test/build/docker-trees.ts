/** Trees of a real dockerd as the kernel shows them: its layers, and a container's upper over them, mounted here. Needs root. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Dockerd } from './dockerd.js'
import { type Form, listDirectory } from './full-listing.js'

interface Directories {
  /** Top first, the init layer that a container adds among them. */
  readonly LowerDir: string
  readonly UpperDir: string
  readonly WorkDir: string
}

export class DockerTrees {
  readonly #dockerd: Pick<Dockerd, 'docker'>
  readonly #merged: string
  readonly #empty: string

  /** `scratch`: a directory with a short path, because those of all layers must fit into one page of mount options. */
  constructor(dockerd: Pick<Dockerd, 'docker'>, scratch: string) {
    this.#dockerd = dockerd
    this.#merged = join(scratch, 'merged')
    this.#empty = join(scratch, 'empty')
    for (const path of [this.#merged, this.#empty]) mkdirSync(path, { recursive: true })
  }

  /** The image's layers joined, without the init layer that a container would add. */
  async listImage(image: string, untimed: ReadonlySet<string>, form?: Form): Promise<string[]> {
    const container = (await this.#dockerd.docker('create', image, 'nothing')).trim()
    const [init, ...layers] = (await this.#directories(container)).LowerDir.split(':')
    assert.match(init!, /-init\/diff$/)
    await this.#dockerd.docker('rm', container)
    // Two directories at least, or the kernel refuses.
    const options = `ro,lowerdir=${[...layers, this.#empty].join(':')}`
    return this.#mounted(options, merged => listDirectory(merged, untimed, form))
  }

  /** What `work` sees and does in the tree of a container that does not run, as a process in it would. */
  async inContainer<T>(container: string, work: (merged: string) => T): Promise<T> {
    const { LowerDir, UpperDir, WorkDir } = await this.#directories(container)
    return this.#mounted(`index=off,lowerdir=${LowerDir},upperdir=${UpperDir},workdir=${WorkDir}`, work)
  }

  async #directories(container: string): Promise<Directories> {
    const data = await this.#dockerd.docker('inspect', '-f', '{{json .GraphDriver.Data}}', container)
    return JSON.parse(data) as Directories
  }

  #mounted<T>(options: string, work: (merged: string) => T): T {
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, this.#merged])
    try {
      return work(this.#merged)
    } finally {
      execFileSync('umount', [this.#merged])
    }
  }
}
