/** A tmpfs for roots and daemons of one test file, gone with all that is mounted in it when the tests have ended. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { after } from 'node:test'
import { type Dockerd, startDockerd } from './dockerd.js'
import { mountPoints, ownTmpfs } from './mounted.js'

export class DockerRoots {
  readonly scratch: string
  readonly #daemons: Dockerd[] = []

  constructor() {
    // Before the tmpfs goes.
    after(() => Promise.all(this.#daemons.map(daemon => daemon.stop())))
    this.scratch = ownTmpfs()
  }

  path(...names: readonly string[]): string {
    return join(this.scratch, ...names)
  }

  /** A daemon on the root of this name; one after the other. `own`: where it has all else; `more`: its options. */
  async start(root: string, own = `d-${root}`, more: readonly string[] = []): Promise<Dockerd> {
    const daemon = await startDockerd(this.path(own), this.path(root), more)
    this.#daemons.push(daemon)
    return daemon
  }

  /** What is mounted below a directory, in the order in which it was. */
  mounts(directory: string): string[] {
    return mountPoints().filter(point => point.startsWith(`${directory}/`))
  }

  /** An overlay mount of a directory of driver overlay2, as a dockerd makes it: `merged`. Read-only for a layer. */
  mountMerged(root: string, id: string, lower: string, how: 'layer' | 'container'): string {
    const directory = this.path(root, 'overlay2', id)
    const below = lower.split(':').map(link => this.path(root, 'overlay2', link))
    const layers = how === 'layer' ? [`${directory}/diff`, ...below] : below
    const upper = how === 'layer' ? '' : `,upperdir=${directory}/diff,workdir=${directory}/work`
    execFileSync('mkdir', ['-m', '700', `${directory}/merged`])
    const options = `index=off,lowerdir=${layers.join(':')}${upper}`
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, `${directory}/merged`])
    return `${directory}/merged`
  }
}
