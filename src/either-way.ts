/**
 * Work that waits now and then, written once for both ways of doing it: at once on this thread, or with every wait off it.
 *
 * A failure of what is waited for is thrown where the work waits for it.
 */
export interface Wait {
  now(): unknown
  later(): Promise<unknown>
}

export type Work<R> = Generator<Wait, R, unknown>

/** For work: `const count = yield* wait(() => readSync(…), () => read(…))`. */
export function* wait<T>(now: () => T, later: () => Promise<T>): Work<T> {
  return (yield { now, later }) as T
}

export function doNow<R>(work: Work<R>): R {
  let step = work.next()
  while (!step.done) {
    let result: unknown
    try {
      result = step.value.now()
    } catch (error) {
      step = work.throw(error)
      continue
    }
    step = work.next(result)
  }
  return step.value
}

export async function doLater<R>(work: Work<R>): Promise<R> {
  let step = work.next()
  while (!step.done) {
    let result: unknown
    try {
      result = await step.value.later()
    } catch (error) {
      step = work.throw(error)
      continue
    }
    step = work.next(result)
  }
  return step.value
}
