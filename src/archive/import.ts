/**
 * Opens what a user wants to import: a file is read where it is; a stream, standard input or what a URL answers is written to a
 * stage file while it arrives, and the job follows it.
 */
import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { GrowingFile } from '../disk/growing-file.js'
import type { WritingContext } from '../disk/space.js'
import type { Stage } from '../disk/stage.js'
import { PhylloError } from '../errors.js'
import type { CopiedImage, CopyTarget } from '../images/copy.js'
import { checkImport, type ImportText, importLayer } from '../images/import.js'
import { chunkBytes } from '../limits.js'
import { type Platform, parsePlatform } from '../oci/platform.js'
import type { OperationContext } from '../operation.js'
import { inputError } from './input.js'
import { InputStream, taking } from './input-stream.js'
import type { LoadTarget } from './load.js'
import type { ArchiveInput } from './open.js'
import type { Fetch } from './url.js'

export interface ImportOptions extends Omit<ImportText, 'platform'> {
  /** `os/architecture[/variant]` of the image. Default: the host's. */
  readonly platform?: string
  /** What messages call the input. Default: the file's name. */
  readonly name?: string
  readonly signal?: AbortSignal
}

export interface ImportTarget extends Omit<LoadTarget, 'limits'> {
  /** What gets a URL; asked for when there is one. */
  readonly fetching: () => Promise<Fetch>
}

interface Opened {
  readonly label: string
  readonly from: string
  /** A file that is read where it is. */
  readonly file?: { readonly path: string; readonly sizeBytes: number }
  readonly stream: () => Promise<AsyncIterable<unknown>>
}

/** @throws INPUT_IO, and what importLayer throws; a TypeError for a platform that is none */
export async function importArchive(
  input: ArchiveInput,
  { platform, name, signal: _, ...text }: ImportOptions,
  { root, space, to, fetching }: ImportTarget,
  op: OperationContext,
): Promise<CopiedImage> {
  return await taking(input, async () => {
    root.assertWritable()
    const wanted: ImportText = { ...text, ...(platform !== undefined && { platform: platformOf(platform) }) }
    checkImport(wanted)
    op.signal.throwIfAborted()
    const opened = await open(input, name, op.signal, fetching)
    return await space.watched(op, async op => {
      await using stage = await root.stage()
      const { label, from, file } = opened
      if (file === undefined) return await follow(opened, wanted, to(), stage, op)
      op.report.bytesRead += file.sizeBytes
      return await importLayer({ label, from, range: { ...file, offset: 0 } }, wanted, to(), stage, op)
    })
  })
}

/** Parts as they were given: to whoever says `linux/arm64`, every variant of it will do. */
function platformOf(text: string): Platform {
  const { os, architecture, variant } = parsePlatform(text)
  const given = text.split('/')[2]
  return { os, architecture, ...(given !== undefined && { variant: variant ?? given }) }
}

async function open(
  input: ArchiveInput,
  name: string | undefined,
  signal: AbortSignal,
  fetching: () => Promise<Fetch>,
): Promise<Opened> {
  if (typeof input !== 'string') return { label: name ?? 'stream', from: '-', stream: async () => input }
  if (input === '-') return { label: name ?? 'stdin', from: '-', stream: async () => process.stdin }
  if (/^https?:\/\//i.test(input)) {
    const { openUrl, shownUrl } = await import('./url.js')
    const url = shownUrl(input)
    return { label: name ?? url, from: url, stream: async () => openUrl(input, signal, await fetching()) }
  }
  const label = name ?? basename(resolve(input))
  try {
    const path = await realpath(input)
    const status = await stat(path)
    if (status.isDirectory()) throw new PhylloError('INPUT_IO', `${label}: cannot be read: it is a directory`, { path })
    const stream = async () => createReadStream(path, { highWaterMark: chunkBytes })
    return { label, from: '-', stream, ...(status.isFile() && { file: { path, sizeBytes: status.size } }) }
  } catch (cause) {
    throw cause instanceof PhylloError ? cause : inputError(cause, label, resolve(input))
  }
}

async function follow(
  { label, from, stream }: Opened,
  text: ImportText,
  to: CopyTarget,
  stage: Stage,
  op: WritingContext,
): Promise<CopiedImage> {
  const input = new InputStream(await stream(), label)
  const file = await GrowingFile.create(stage.file('input'))
  const range = { path: file.path, offset: 0, sizeBytes: Number.POSITIVE_INFINITY, growing: file.counter }
  try {
    const importing = importLayer({ label, from, range }, text, to, stage, op)
    // Whoever fails first ends the other, with its own reason; an abort ends the job.
    importing.catch((error: unknown) => input.stop(error))
    const [arrived, imported] = await Promise.allSettled([arrive(input, file), importing])
    if (arrived.status === 'rejected') throw arrived.reason
    if (imported.status === 'rejected') throw imported.reason
    return imported.value
  } finally {
    op.report.bytesRead += input.bytesRead
  }
}

async function arrive(input: InputStream, file: GrowingFile): Promise<void> {
  try {
    for await (const chunk of input) await file.append(chunk)
    await file.end()
  } catch (error) {
    await file.fail()
    throw error
  }
}
