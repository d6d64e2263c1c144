/** An OCI archive whose stage is on a device that becomes full. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Pool } from '../../src/index.js'
import { legacyArchive } from '../build/image.js'
import { archiveFile, scratchDir, scratchStore } from '../build/store.js'
import { file, tar } from '../build/tar.js'

/** With a tmpfs of 1 MiB as the system's directory for temporary files. */
async function withSmallTemporary(t: TestContext, work: (folder: string) => Promise<void>): Promise<void> {
  const folder = scratchDir(t)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', folder])
  const before = process.env.TMPDIR
  process.env.TMPDIR = folder
  try {
    await work(folder)
  } finally {
    if (before === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = before
    execFileSync('umount', ['-l', folder])
  }
}

for (const workers of [0, 2])
  test(`no space for the gzipped layer, ${workers} workers: STORE_IO that names it, no archive, and nothing left`, async t => {
    const pool = new Pool({ workers })
    t.after(() => pool.close())
    const store = await scratchStore(t, { pool })
    const layers = [tar([file('noise', randomBytes(6_000_000))])]
    await store.load(archiveFile(t, legacyArchive([{ layers, tags: ['app:v1'] }])))
    const folder = scratchDir(t)
    await withSmallTemporary(t, async temporary => {
      await assert.rejects(
        async () => await store.save('app:v1', join(folder, 'out.tar'), { format: 'oci-archive' }),
        (error: { code: string; operation: string; path: string; cause: { code: string } }) => {
          assert.deepEqual([error.code, error.operation], ['STORE_IO', 'write'])
          assert.match(String(error.cause), /ENOSPC/)
          assert.ok(error.path.startsWith(`${temporary}/`))
          return true
        },
      )
      assert.deepEqual([readdirSync(folder), readdirSync(temporary)], [[], []])
    })
  })
