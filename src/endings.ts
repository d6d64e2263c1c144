/**
 * How work ends when some of it fails.
 *
 * Invariants:
 * - What was begun has ended when this settles: nothing of it runs on behind a failure, with a file open.
 * - Everything that lets go is done, also when some of it fails.
 * - What is told is the work's own failure, and else the first one of its end.
 */

/** The results of work that goes on side by side. After a failure it waits for the rest; the first in their order is thrown. */
export async function together<T extends readonly unknown[] | []>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

/** Takes these steps one after the other, whether they fail or not, and throws the first failure. */
export async function inTurn(steps: Iterable<() => unknown>): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  for (const step of steps) {
    try {
      await step()
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
}

/** The same at once. */
export function inTurnNow(steps: Iterable<() => void>): void {
  let failure: { readonly error: unknown } | undefined
  for (const step of steps) {
    try {
      step()
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
}

/** Work with an end that comes whatever it does. */
export async function finishing<T>(work: () => T | PromiseLike<T>, end: () => unknown): Promise<T> {
  const done: T[] = []
  await inTurn([async () => void done.push(await work()), end])
  return done[0]!
}

/**
 * What failed first: where work under `using` failed and its clean-up did, too, JavaScript tells both at once
 * (SuppressedError), the clean-up's first.
 */
export function firstFailure(error: unknown): unknown {
  let first = error
  while (first instanceof Error && first.name === 'SuppressedError' && 'suppressed' in first) first = first.suppressed
  return first
}
