/** Adds layers to a store as a load does, with content that is only as good as a test of the store needs it. */
import type { Root } from '../../src/disk/root.js'
import { PackedDriver } from '../../src/drivers/packed/packed-driver.js'
import { LayerStore } from '../../src/layers/layer-store.js'
import type { LayerRecord } from '../../src/layers/record.js'
import { type DiffId, sha256Digest } from '../../src/oci/digest.js'

export const diffIdOf = (name: string) => sha256Digest<DiffId>(name)

/** The layers of a packed root. */
export const packedLayers = (root: Root) => new LayerStore(root, new PackedDriver(root))

/** Adds the stack and lets go of it: from then on it lives as long as something refers to it. */
export async function addStack(root: Root, diffIds: readonly DiffId[], sizeBytes = 7): Promise<LayerRecord[]> {
  const layers = packedLayers(root)
  await using lease = await layers.lease({ stacks: [diffIds] })
  for (const look of await layers.look(diffIds)) {
    if (look.record !== undefined) continue
    await using stage = await root.stage()
    const staged = stage.file('layer')
    if (look.sizeBytes === undefined) await root.writeStaged(staged, `content of ${look.diffId}`, 0o600)
    await layers.publish({
      diffId: look.diffId,
      parent: look.parent,
      sizeBytes: look.sizeBytes ?? sizeBytes,
      lease,
      ...(look.sizeBytes === undefined ? { staged } : undefined),
    })
  }
  return layers.settle(diffIds)
}
