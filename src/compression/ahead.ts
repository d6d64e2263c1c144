/**
 * Asks a generator for its next value while the consumer is still busy with the one before. The generator must
 * therefore keep two values apart, and may reuse the memory of the one before the last.
 */
export async function* oneAhead<T>(generator: AsyncGenerator<T>): AsyncGenerator<T> {
  let next = generator.next()
  try {
    for (;;) {
      const { done, value } = await next
      if (done) return
      next = generator.next()
      next.catch(() => undefined) // thrown when it is awaited; until then it is not unhandled
      yield value
    }
  } finally {
    await generator.return(undefined)
  }
}
