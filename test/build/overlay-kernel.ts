/** Operations on real overlay mounts: the other end of `overlay-kernel.py`. Needs root. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { repoRoot } from './repo.js'
import type { Op, TreeNode, TreeNodes } from './union-sequence.js'

export interface KernelAnswer {
  readonly results: readonly unknown[]
  /** The merged tree, once for each look. */
  readonly trees: readonly TreeNode[]
  /** The upper directory at the end. */
  readonly upper: TreeNode
  /** The merged tree after a mount anew. */
  readonly remounted?: TreeNode
}

export interface KernelRequest {
  readonly layers: readonly TreeNodes[]
  readonly ops: readonly Op[]
  /** What the upper directory holds before. */
  readonly upper?: TreeNode
  /** The merged tree is looked at when so many operations are done. */
  readonly looks: readonly number[]
  /** More mount options, with a comma before each. */
  readonly mount?: string
  readonly remount?: boolean
}

/** Of layers and an upper that are there. */
export interface ThereRequest extends Pick<KernelRequest, 'ops' | 'looks' | 'mount'> {
  /** Holds the layers `l0` (base) and on, `diff`, `work` and `merged`. */
  readonly at: string
  /** How many layers. */
  readonly lowers: number
}

/** A process in a mount namespace of its own, which makes mounts and runs operations on them. */
export class Kernel implements AsyncDisposable {
  /** A directory that is gone with it. */
  readonly scratch: string
  readonly #child: ChildProcessWithoutNullStreams
  readonly #lines: AsyncIterator<string>

  constructor() {
    this.scratch = fs.mkdtempSync(path.join(fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir(), 'union-'))
    const program = path.join(repoRoot, 'test/build/overlay-kernel.py')
    this.#child = spawn('unshare', ['-m', 'python3', program, this.scratch])
    this.#child.stderr.pipe(process.stderr)
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  async run(request: KernelRequest | ThereRequest): Promise<KernelAnswer> {
    this.#child.stdin.write(`${JSON.stringify(request)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the process with the mounts has ended')
    return JSON.parse(value) as KernelAnswer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin.end()
    await new Promise(resolve => this.#child.once('close', resolve))
    fs.rmSync(this.scratch, { recursive: true, force: true })
  }
}
