/**
 * An image as the kernel's overlayfs shows it: dockerd unpacks its layers, and a mount with an empty upper lies over them.
 * Needs root. dockerd has ended when this is there.
 */
import { execFileSync } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { InputName } from './corpus.js'
import { dockerIn } from './peers.js'
import type { Place } from './places.js'
import type { Bench } from './questions.js'

export interface KernelOverlay {
  readonly path: string
  /** Mounts it with another empty upper, with nothing in the kernel's caches of the one before. */
  renew(): Promise<void>
}

/** `input`: the archive; `reference`: its image. */
export async function kernelOverlay(
  { places, input: pathOf }: Bench,
  input: InputName,
  reference: string,
): Promise<KernelOverlay> {
  const place = places.quick
  const lowers = await unpacked(place, pathOf(input), reference)
  const path = await place.fresh()
  let mounted = false
  const unmount = () => {
    if (mounted) execFileSync('umount', ['-l', path])
    mounted = false
  }
  places.before(unmount)
  const renew = async () => {
    unmount()
    const folder = await place.fresh()
    const [upper, work] = [join(folder, 'upper'), join(folder, 'work')]
    await Promise.all([mkdir(upper), mkdir(work)])
    const options = `lowerdir=${lowers.join(':')},upperdir=${upper},workdir=${work}`
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, path])
    mounted = true
  }
  await renew()
  return { path, renew }
}

/** Directories of the layers, the topmost first. */
async function unpacked(place: Place, archive: string, reference: string): Promise<string[]> {
  await using dockerd = await dockerIn(place)
  await dockerd.docker('load', '-q', '-i', archive)
  const inspected = await dockerd.docker('image', 'inspect', '-f', '{{json .GraphDriver.Data}}', reference)
  const { UpperDir, LowerDir = '' } = JSON.parse(inspected) as { UpperDir: string; LowerDir?: string }
  return [UpperDir, ...LowerDir.split(':').filter(Boolean)]
}
