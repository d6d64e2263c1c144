/** The stream of one tar-stream entry as promises: each settles, also when the pack is destroyed in the middle. */

/** What of a streamx stream is used. */
interface EntryWritable {
  readonly destroyed: boolean
  write(chunk: Uint8Array): boolean
  end(data: undefined): void
  on(event: 'drain' | 'close' | 'error', listener: () => void): unknown
}

export class EntryStream {
  /** The whole entry has been taken; rejects if it was broken off. */
  readonly ended: Promise<void>
  readonly #entry: EntryWritable
  #wake: (() => void) | undefined

  /** `open` makes the entry and hands tar-stream the callback. */
  constructor(open: (done: (error?: Error | null) => void) => EntryWritable) {
    let entry: EntryWritable | undefined
    this.ended = new Promise((resolve, reject) => {
      entry = open(error => (error ? reject(error) : resolve()))
    })
    // The promise may be awaited only after the contents, or not at all if these fail first.
    this.ended.catch(() => undefined)
    if (entry === undefined) throw new Error('the archive is not written any more')
    this.#entry = entry
    const wake = () => this.#wake?.()
    // An error comes through the callback as well; the listener keeps it from being an uncaught one.
    for (const event of ['drain', 'close', 'error'] as const) entry.on(event, wake)
  }

  async send(chunk: Uint8Array): Promise<void> {
    const drained = new Promise<void>(wake => (this.#wake = wake))
    if (this.#entry.destroyed || this.#entry.write(chunk)) return
    await drained
  }

  async end(): Promise<void> {
    this.#entry.end(undefined)
    await this.ended
  }
}
