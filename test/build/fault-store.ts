/** A store of which single calls can be made to fail. To be imported after failing-fs.ts. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { Store } from '../../src/index.js'
import { type ImageKey, writeArchive } from './crash-images.js'
import type { CrashDriver } from './crash-operations.js'
import { type Fault, failingFs } from './failing-fs.js'
import { scratchDir } from './store.js'

type Tags = Partial<Record<ImageKey, readonly string[]>>

/** A store of the images, in a directory where calls can fail. */
export async function faultStore(t: TestContext, tags: Tags, driver: CrashDriver = 'packed') {
  const dir = scratchDir(t)
  const store = await Store.open(join(dir, 'store'), { driver, workers: 0 })
  const unhandled: unknown[] = []
  const note = (error: unknown) => void unhandled.push(error)
  process.on('unhandledRejection', note)
  t.after(async () => {
    failingFs.disarm()
    await store.close().catch(() => undefined)
    process.off('unhandledRejection', note)
  })
  const archive = writeArchive(dir, 'in.tar', tags)
  if (Object.keys(tags).length > 0) await store.load(archive)
  /** The error of work while calls fail. Nothing of it is left unhandled. */
  const failure = async (fault: Pick<Fault, 'errno' | 'only'> & Partial<Fault>, work: () => PromiseLike<unknown>) => {
    failingFs.arm(dir, { at: 1, times: Number.POSITIVE_INFINITY, ...fault })
    const error = await Promise.resolve(work()).then(
      () => undefined,
      (error: unknown) => error,
    )
    assert.ok(failingFs.failed.length > 0, 'no call failed')
    failingFs.disarm()
    await new Promise(setImmediate)
    assert.deepEqual(unhandled, [])
    return error as Record<string, unknown> | undefined
  }
  return { dir, store, archive, failure, root: join(dir, 'store') }
}

/** Which call it was, where, and why. */
export function assertTold(
  error: Record<string, unknown> | undefined,
  code: string,
  operation: string,
  errno: string,
): void {
  assert.deepEqual([error?.name, error?.code, error?.operation, error?.errno], ['PhylloError', code, operation, errno])
  assert.equal(typeof error?.path, 'string', String(error))
}
