/** Looking into an upper that somebody changes at the same moment: what is seen was there, or an error says why not. */
import assert from 'node:assert/strict'
import { appendFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ByteString } from '../../../src/byte-string.js'
import { lookAtPackedUpper } from '../../../src/drivers/packed/look.js'
import type { PackedUpper } from '../../../src/drivers/packed/packed-upper.js'
import { nodeUpperIo, type UpperIo } from '../../../src/drivers/packed/upper-io.js'
import { loadChecksums } from '../../../src/layerfile/checksum.js'
import { inDirectory } from '../../build/in-directory.js'
import { plainRoot } from '../../build/memory-upper.js'
import { packedUpper } from '../../build/packed-upper.js'
import { isSame, nextStep, randomOf, stateOf, take } from '../../build/upper-sequence.js'

const options = { root: plainRoot, checksums: await loadChecksums() }

function write(upper: PackedUpper, name: string, bytes: Buffer): void {
  upper.atomically(() => {
    const node = upper.create({ ...plainRoot, mode: 0o100644 })
    upper.place(upper.root, name as ByteString, node)
    upper.writeSync(node, 0, bytes)
    upper.release(node)
  })
}

const namesOf = (upper: PackedUpper) => [...upper.root.children.keys()].sort()

function content(upper: PackedUpper, name: string): string {
  const inode = upper.lookup(0, name as ByteString)
  const into = Buffer.alloc(upper.inode(inode).sizeBytes)
  assert.equal(upper.readSync(inode, 0, into), into.length)
  return into.toString()
}

/** Files are opened for reading alone, and no call changes anything. */
function readingIo(hooks: Partial<UpperIo> = {}): UpperIo {
  const refuse = (name: string) => () => assert.fail(`${name} while looking`)
  const changing = [
    'makeDirectory',
    'write',
    'truncate',
    'rename',
    'unlink',
    'sync',
    'syncData',
    'syncDirectory',
    'syncNow',
  ]
  const open: UpperIo['open'] = (path, flags) => {
    assert.equal(flags, 'r')
    return nodeUpperIo.open(path, flags)
  }
  return { ...nodeUpperIo, ...Object.fromEntries(changing.map(name => [name, refuse(name)])), open, ...hooks }
}

test('random changes: after each of them a look shows what an opening would', async t => {
  const first = Number(process.env.PHYLLO_SEED ?? Math.floor(Math.random() * 2 ** 30))
  t.diagnostic(`PHYLLO_SEED=${first}`)
  for (let seed = first; seed < first + 6; seed++)
    await inDirectory(async directory => {
      const upper = await packedUpper(directory, { ...options, eager: true })
      const random = randomOf(seed)
      const open: number[] = []
      for (let at = 0; at < 40; at++) {
        take(upper, nextStep(random, upper, open, at), open)
        if (at % 13 === 12) await upper.compact()
        for (const id of open.splice(0)) upper.release(upper.node(id))
        const seen = await lookAtPackedUpper(directory, { ...options, io: readingIo() })
        assert.ok(isSame(stateOf(seen), stateOf(upper)), `seed ${seed}, step ${at}`)
        assert.deepEqual([seen.usedBytes, seen.usedEntries], [upper.usedBytes, upper.usedEntries], `seed ${seed}`)
        await seen.close()
      }
      await upper.close()
    })()
})

/** The holder does something when the look, after the journal, comes to the contents: `act` gets how often that has been. */
function meanwhile(act: (time: number) => void): UpperIo {
  let times = 0
  return readingIo({
    fileBytes: path => {
      if (!path.endsWith('/journal')) act(times++)
      return nodeUpperIo.fileBytes(path)
    },
  })
}

for (const [name, synced] of [
  ['on the disk', true],
  ['with the kernel', false],
] as const)
  test(
    `a content goes when its frame, ${name}, was read: the journal is read again, and no frame is given up`,
    inDirectory(async directory => {
      const upper = await packedUpper(directory, { ...options, eager: true })
      write(upper, 'large', Buffer.alloc(100_000, 'l'))
      for (let i = 0; i < 5; i++) write(upper, `f${i}`, Buffer.from(`${i}`))
      if (synced) await upper.sync()
      const io = meanwhile(time => {
        if (time > 0) return
        upper.remove(upper.root, 'large' as ByteString)
        rmSync(join(directory, 'content-0'))
      })
      const seen = await lookAtPackedUpper(directory, { ...options, io })
      assert.deepEqual(namesOf(seen), ['f0', 'f1', 'f2', 'f3', 'f4'])
      assert.equal(content(seen, 'f4'), '4')
      await Promise.all([seen.close(), upper.close()])
    }),
  )

test(
  'a new journal takes the place of the one that was opened: the new one counts, not the beginning of the old one',
  inDirectory(async directory => {
    const [journal, next] = ['journal', 'new'].map(name => join(directory, name)) as [string, string]
    const upper = await packedUpper(directory, { ...options, eager: true })
    write(upper, 'first', Buffer.from('1'))
    for (let i = 0; i < 50; i++) upper.setAttributes(upper.root, { uid: i })
    write(upper, 'last', Buffer.from('2'))
    await upper.close()
    const old = readFileSync(journal)
    const again = await packedUpper(directory, options)
    await again.compact()
    await again.close()
    writeFileSync(next, readFileSync(journal))
    writeFileSync(journal, old)
    let replaced = false
    const io = readingIo({
      open: (path, flags) => {
        const file = nodeUpperIo.open(path, flags)
        if (path === journal && !replaced) renameSync(next, journal)
        replaced = true
        return file
      },
    })
    const seen = await lookAtPackedUpper(directory, { ...options, io })
    assert.deepEqual(namesOf(seen), ['first', 'last'])
    assert.equal(content(seen, 'last'), '2')
    await seen.close()
  }),
)

test(
  'a frame that is being written is the end; what stands before it is there',
  inDirectory(async directory => {
    const upper = await packedUpper(directory, { ...options, eager: true })
    write(upper, 'whole', Buffer.from('1'))
    const before = readFileSync(join(directory, 'journal')).length
    write(upper, 'torn', Buffer.from('2'))
    await upper.close()
    const bytes = readFileSync(join(directory, 'journal'))
    for (const cut of [before + 1, before + 40, bytes.length - 1]) {
      writeFileSync(join(directory, 'journal'), bytes.subarray(0, cut))
      const seen = await lookAtPackedUpper(directory, { ...options, io: readingIo() })
      assert.deepEqual(namesOf(seen), ['whole'])
      await seen.close()
      assert.equal(readFileSync(join(directory, 'journal')).length, cut)
    }
  }),
)

test(
  'a journal that never holds still is given up on, with the reason',
  inDirectory(async directory => {
    const upper = await packedUpper(directory, { ...options, eager: true })
    write(upper, 'large', Buffer.alloc(100_000, 'l'))
    await upper.sync()
    await upper.close()
    rmSync(join(directory, 'content-0'))
    const io = meanwhile(() => appendFileSync(join(directory, 'journal'), '.'))
    await assert.rejects(lookAtPackedUpper(directory, { ...options, io }), { code: 'STORE_CORRUPT' })
  }),
)

test(
  'an upper without a journal is damaged, and stays as it is',
  inDirectory(async directory => {
    await assert.rejects(lookAtPackedUpper(directory, options), { code: 'STORE_CORRUPT', message: /journal: missing$/ })
    assert.deepEqual(readdirSync(directory), [])
  }),
)
