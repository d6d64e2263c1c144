/** Another process with a store open for writing; its parent tells it what to do. */
import { openRoot } from '../../src/disk/open-root.js'
import type { Root } from '../../src/disk/root.js'
import { ReferenceStore } from '../../src/images/reference-store.js'
import { chainIdsOf } from '../../src/oci/chain-id.js'
import type { DiffId, ImageId } from '../../src/oci/digest.js'
import { parseReference, withDefaultTag } from '../../src/oci/reference.js'
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
  /** Gives an image so many names, one after the other; every second one is taken away again. */
  tag: async (name, times, imageId) => {
    const references = new ReferenceStore(root)
    for (let n = 0; n < Number(times); n++) {
      const reference = withDefaultTag(parseReference(`${name}:${n}`))
      await references.tag(reference, imageId as ImageId)
      if (n % 2 === 1) await references.edit(async names => names.remove(reference))
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
