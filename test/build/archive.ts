/** What tests of archives need: a scratch directory, sources opened with defaults, and the bytes of what they found. */
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type ArchiveInput, type OpenArchiveOptions, openArchive } from '../../src/archive/open.js'
import type { ImageSource, SourceImage } from '../../src/images/source.js'
import { defaultLimits } from '../../src/limits.js'
import { familiarName } from '../../src/oci/reference.js'
import type { ByteRange } from '../../src/pool/jobs.js'
import { digestOf } from './image.js'

export async function scratch(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'phyllo-archive-'))
  t.after(() => rm(path, { recursive: true, force: true }))
  return path
}

export async function fileWith(t: TestContext, bytes: Uint8Array, name = 'test.tar'): Promise<string> {
  const path = join(await scratch(t), name)
  await writeFile(path, bytes)
  return path
}

/** Opens with default limits and a stage of its own; disposed of when the test ends. */
export async function opened(
  t: TestContext,
  input: ArchiveInput,
  options: Partial<OpenArchiveOptions> = {},
): Promise<ImageSource> {
  const stage = join(await scratch(t), 'stage')
  const source = await openArchive(input, { limits: defaultLimits, stage: async () => stage, ...options })
  t.after(() => source[Symbol.asyncDispose]())
  return source
}

/** The images of an archive's bytes. */
export async function imagesIn(
  t: TestContext,
  archive: Uint8Array,
  options: Partial<OpenArchiveOptions> = {},
): Promise<readonly SourceImage[]> {
  return await (await opened(t, await fileWith(t, archive), options)).images()
}

export async function bytesOf({ path, offset, sizeBytes }: ByteRange): Promise<Buffer> {
  const handle = await open(path)
  try {
    const bytes = Buffer.alloc(sizeBytes)
    await handle.read(bytes, 0, sizeBytes, offset)
    return bytes
  } finally {
    await handle.close()
  }
}

/** What a test compares: id, tags, and for each layer its diffId and the digest of the bytes that the range leads to. */
export async function summaryOf(images: readonly SourceImage[]): Promise<object[]> {
  return await Promise.all(
    images.map(async image => ({
      imageId: image.imageId as string,
      config: digestOf(image.config),
      tags: image.references.map(familiarName),
      diffIds: image.layers.map(({ diffId }) => diffId as string),
      bytes: await Promise.all(
        image.layers.map(async ({ range }) => (range === undefined ? undefined : digestOf(await bytesOf(range)))),
      ),
    })),
  )
}

/** Cuts bytes into chunks of the sizes given, again and again. */
export function* pieces(bytes: Buffer, sizes: readonly number[]): Generator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length]!
    yield bytes.subarray(at, at + size)
    at += size
  }
}

export async function* streamOf(bytes: Buffer, sizes: readonly number[] = [65_536]): AsyncGenerator<Buffer> {
  yield* pieces(bytes, sizes)
}
