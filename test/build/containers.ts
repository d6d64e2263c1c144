/** Containers on a disk in memory, of images that are nothing but their config, and what must hold of such a store. */
import { createHash } from 'node:crypto'
import { ContainerStore } from '../../src/containers/container-store.js'
import type { Io } from '../../src/disk/io.js'
import { openRoot } from '../../src/disk/open-root.js'
import type { Root } from '../../src/disk/root.js'
import type { ImageRecord } from '../../src/images/image-store.js'
import { defaultLimits } from '../../src/limits.js'
import { parseImageConfig } from '../../src/oci/config.js'
import { type DiffId, type ImageId, sha256Digest } from '../../src/oci/digest.js'
import { packedLayers } from './layers.js'
import type { MemoryDisk, Step } from './memory-disk.js'

export const rootPath = '/store'

export function imageOf(diffIds: readonly DiffId[]): ImageRecord {
  const document = { architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } }
  const configBytes = Buffer.from(JSON.stringify(document))
  const config = parseImageConfig(configBytes, { limits: defaultLimits, what: 'test' })
  return { id: sha256Digest<ImageId>(configBytes), configBytes, config, parent: undefined, lastUpdated: undefined }
}

/** Random names are hex digits, as ids of containers are, and the same in every run. */
function ioOf(disk: MemoryDisk, process: string, step: Step): Io {
  let names = 0
  const randomName = () => createHash('md5').update(`${process} ${names++}`).digest('hex')
  return { ...disk.io(process, step), randomName }
}

export function openMemoryRoot(disk: MemoryDisk, process: string, step: Step): Promise<Root> {
  const io = ioOf(disk, process, step)
  return openRoot(rootPath, { durability: 'none', io, flock: async () => disk.flock(step) })
}

export function containersOf(root: Root): ContainerStore {
  return new ContainerStore(root, packedLayers(root), defaultLimits)
}

/** What is wrong: a container that can be seen and is not whole. */
export function notWhole(disk: MemoryDisk): string | undefined {
  for (const path of disk.childrenOf(`${rootPath}/phyllo/containers`)) {
    const node = disk.nodes.get(path)
    if (node?.type !== 'file') return `${path} is no file`
    const { id, mountId, chainId } = JSON.parse(node.text) as { id: string; mountId: string; chainId?: string }
    const mount = `${rootPath}/image/packed/layerdb/mounts/${id}`
    const text = (file: string) => {
      const found = disk.nodes.get(`${mount}/${file}`)
      return found?.type === 'file' ? found.text : undefined
    }
    if (text('mount-id') !== mountId || text('parent') !== chainId) return `${path} has no mount`
    if (!disk.nodes.has(`${rootPath}/packed/containers/${mountId}`)) return `${path} has no upper`
  }
  return undefined
}

/** What is left of no container. */
export function remains(disk: MemoryDisk): string[] {
  const records = disk.childrenOf(`${rootPath}/phyllo/containers`).map(path => {
    const node = disk.nodes.get(path)
    return JSON.parse(node?.type === 'file' ? node.text : '{}') as { id: string; mountId: string }
  })
  const known = new Set(records.flatMap(({ id, mountId }) => [id, mountId]))
  return ['image/packed/layerdb/mounts', 'packed/containers', 'phyllo/stages', 'phyllo/trash', 'phyllo/limbo']
    .flatMap(directory => disk.childrenOf(`${rootPath}/${directory}`))
    .filter(path => !known.has(path.slice(path.lastIndexOf('/') + 1)))
}
