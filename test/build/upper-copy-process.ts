/**
 * A process that changes the mode of a large file of a layer in a container of real directories, and dies while the content is being
 * copied up: `node upper-copy-process.js DIRECTORY LAYER WAY`. `sync`: at the third slice of a copy in this thread. `kernel`: while
 * the kernel copies, as soon as there are bytes. Needs root.
 */
import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { openDirectoryLayer } from '../../src/drivers/overlay2/directory-layer.js'
import { UpperDisk } from '../../src/drivers/overlay2/upper-disk.js'
import type { DiffId } from '../../src/oci/digest.js'
import { createContainerFace } from '../../src/overlay/face/container-face.js'
import { directoryUpper } from './directory-upper.js'
import { systemCalls } from './real-tree.js'
import { rootOf, unionOf } from './union-run.js'

const [directory, lower, way] = process.argv.slice(2) as [string, string, 'sync' | 'kernel']
const calls = await systemCalls()
const die = () => process.kill(process.pid, 'SIGKILL')

class Disk extends UpperDisk {
  #writes = 0

  override write(...args: Parameters<UpperDisk['write']>): void {
    super.write(...args)
    if (++this.#writes === 3) die()
  }

  override copyIn(...args: Parameters<UpperDisk['copyIn']>): Promise<void> {
    const copied = super.copyIn(...args)
    const work = join(directory, 'work/phyllo')
    while (!readdirSync(work).some(name => lstatSync(join(work, name)).size > 0));
    die()
    return copied
  }
}

const diffId = `sha256:${'0'.repeat(64)}` as DiffId
const layer = await openDirectoryLayer(lower, { calls, diffId, sizeBytes: 0 })
const disk = new Disk(directory, calls)
const upper = await directoryUpper(directory, { calls, layers: [layer], root: rootOf(), disk })
const box = createContainerFace(unionOf([layer], upper))
if (way === 'sync') box.chmodSync('/big', 0o600)
else await box.promises.chmod('/big', 0o600)
