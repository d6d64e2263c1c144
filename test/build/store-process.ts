/** Another process with a store open for writing; its parent tells it what to do. */
import { openRoot } from '../../src/disk/open-root.js'
import type { Root } from '../../src/disk/root.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import type { DiffId } from '../../src/oci/digest.js'
import { addStack, packedLayers } from './layers.js'

const path = process.argv[2]!
let root: Root

const commands: Record<string, (...args: string[]) => Promise<string>> = {
  open: async () => {
    root = await openRoot(path, { durability: 'none' })
    return root.readOnlyReason ?? ''
  },
  stage: async () => {
    const stage = await root.stage()
    await root.writeStaged(stage.file('half a layer'), 'half', 0o600)
    return stage.path
  },
  lease: async diffId => {
    await packedLayers(root).lease({ stacks: [[diffId as DiffId]] })
    return ''
  },
  setAside: async target => (await root.setAside(target!)) ?? '',
  add: async (...diffIds) => {
    await addStack(root, diffIds as DiffId[])
    return chainIdsOf(diffIds as DiffId[]).join()
  },
  /** Never lets go. */
  lock: () => new Promise(locked => void root.withLock(() => new Promise(() => locked('')))),
  /** Adds one to a number in a file, as a read-modify-write, so many times. */
  count: async (times, file) => {
    for (let n = 0; n < Number(times); n++) {
      await root.withLock(async () => {
        const before = Number((await root.io.readFile(file!, 100)).toString())
        await root.replaceFile(file!, String(before + 1), 0o600)
      })
    }
    return ''
  },
  close: async () => {
    await root.close()
    return ''
  },
}

process.on('message', ([command, ...args]: [string, ...string[]]) => {
  commands[command]!(...args).then(
    result => process.send!({ result }),
    error => process.send!({ error: String(error.stack) }),
  )
})
process.on('disconnect', () => process.exit())
