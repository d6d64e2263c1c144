/**
 * A process whose threads' calls fail: `node fault-process.js DIRECTORY`, with a store and two archives in it.
 *
 * What the main thread needs is loaded before; the first job starts the first thread. Lines that it writes: `ready`; after a line of
 * input it loads and saves, checks and closes, each until it succeeds, and says how each ended as JSON; then `done`.
 */
import { readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { PhylloError, Store } from '../../src/index.js'

const directory = process.argv[2]!
/** More than there are threads. */
const mostTries = 20
process.on('unhandledRejection', error => say({ unhandled: String(error) }))

const work = async (store: Store, at: string) => {
  await store.load(join(directory, 'in.tar'))
  await store.save(['new:1', 'new:2'], join(at, 'output'))
  await store.save(['new:1'], join(at, 'output'), { format: 'oci-archive' })
}

// A module that Node could not load once it never loads again in the same process.
await import('piscina')
/** Of the main thread alone. */
const warm = await Store.open(join(directory, 'warm/store'), { workers: 0 })
await work(warm, join(directory, 'warm'))
await warm.check({ depth: 'full' })
await warm.close()

const store = await Store.open(join(directory, 'store'), { workers: 2 })
writeSync(1, 'ready\n')
readSync(0, Buffer.alloc(10))
await untilDone(() => work(store, directory))
await untilDone(async () => {
  const { findings } = await store.check({ depth: 'full' })
  if (findings.length === 0) return
  const [{ path, reason }] = findings as [(typeof findings)[number]]
  // What a check cannot read is what it finds.
  throw new PhylloError('STORE_CORRUPT', reason, { operation: 'check', path, errno: /E[A-Z]+/.exec(reason)?.[0] })
})
await untilDone(() => store.close())
writeSync(1, 'done\n')

/** Every thread has its own call that fails. */
async function untilDone(run: () => Promise<void>): Promise<void> {
  for (let tries = 0; tries < mostTries; tries++) {
    const result = await outcome(run)
    say(result)
    if (result.ok) return
  }
}

function say(value: unknown): void {
  writeSync(1, `${JSON.stringify(value)}\n`)
}

async function outcome(run: () => Promise<void>): Promise<Record<string, unknown>> {
  try {
    await run()
    return { ok: true }
  } catch (error) {
    if (!(error instanceof PhylloError)) return { untyped: (error as Error).stack }
    const { code, operation, path, errno, message, cause } = error
    return { code, operation, path, errno, message, cause: String(cause) }
  }
}
