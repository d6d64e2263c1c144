/** Job: one pass over a layer as it stands in an archive or a store: decompress → hash → scan → layer file in the stage. */
import { withNewFile } from '../src/disk/descriptors.js'
import { copyLayerFile } from '../src/layerfile/copy-layer-file.js'
import { openLayerTar } from '../src/layerfile/layer-tar.js'
import type { WrittenLayer } from '../src/layerfile/tar-pass.js'
import { writeLayerFile } from '../src/layerfile/writer.js'
import type { WriteLayerInput, WriteLayerOutput } from '../src/pool/jobs.js'
import { type JobContext, job } from '../src/pool/wire.js'
import { plainTar } from './layer-input.js'

export default job('write-layer', async (input, context) => {
  return withNewFile(input.target, 0o600, async fd => {
    const copied = await copyBlocks(input, context, fd)
    return copied === undefined ? await writeBlocks(input, context, fd) : { ...copied, digest: copied.diffId }
  })
})

async function writeBlocks(
  { source, target, label, compression, limits, digestAlgorithm }: WriteLayerInput,
  { progress, memory }: JobContext,
  fd: number,
): Promise<WriteLayerOutput> {
  const { chunks, digest } = plainTar(source, { label, limits, digestAlgorithm, progress })
  const written = await writeLayerFile(chunks, {
    fd,
    path: target,
    label,
    compression,
    limits,
    ...(memory && { ring: memory }),
  })
  return { ...written, digest: digest() ?? written.diffId }
}

/** Undefined unless the input is a layer file that is compressed as is wanted. */
async function copyBlocks(
  { source, target, label, compression, limits }: WriteLayerInput,
  { progress }: JobContext,
  fd: number,
): Promise<WrittenLayer | undefined> {
  if (!('tar' in source && 'layerFile' in source.tar)) return undefined
  const tar = await openLayerTar(source.tar.layerFile)
  try {
    if (tar.compression !== compression) return undefined
    return await copyLayerFile(tar, { fd, path: target, label, limits, onProgress: bytes => progress(bytes) })
  } finally {
    tar.close()
  }
}
