/** How jobs that only look read no more than they may in a second. No job itself. */

/** Between two looks whether the job should stop, milliseconds. */
const sliceMs = 100

export interface Pace {
  /** Bytes so far. */
  readonly bytes: () => number
  /** So many more were read: tells main, and waits until that many may have been. */
  readonly pace: (bytes: number) => Promise<void>
}

export function pacer(progress: (bytes: number) => void, bytesPerSecond = Number.POSITIVE_INFINITY): Pace {
  const start = performance.now()
  let bytes = 0
  const pace = async (more: number) => {
    progress((bytes += more))
    for (;;) {
      const early = (bytes / bytesPerSecond) * 1000 - (performance.now() - start)
      if (!(early > 0)) break
      await new Promise(resolve => setTimeout(resolve, Math.min(early, sliceMs)))
      progress(bytes)
    }
    // Where there is no thread of our own, others get their turn
    await new Promise(resolve => setImmediate(resolve))
  }
  return { bytes: () => bytes, pace }
}
