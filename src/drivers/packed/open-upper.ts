/**
 * Opens the upper of a container in its directory, or makes one.
 *
 * Invariants:
 * - There is a journal, whole, from the moment there is anything.
 * - What an earlier process left without use is removed, once the journal that does not need it is on the disk.
 */

import { dirname } from 'node:path'
import { finishing, inTurn } from '../../endings.js'
import { type Checksums, loadChecksums } from '../../layerfile/checksum.js'
import type { Sum } from '../../layerfile/format.js'
import type { NewNode } from '../upper.js'
import { UpperTree } from '../upper-tree.js'
import { Holds } from './holds.js'
import { Journal } from './journal.js'
import { corruptUpper, journalName, nextJournalName } from './journal-format.js'
import { LargeContents } from './large-contents.js'
import { PackedUpper } from './packed-upper.js'
import { replay, type Wanted } from './replay.js'
import { Segments } from './segments.js'
import { writeSnapshot } from './snapshot.js'
import { contentName, segmentName } from './stored-content.js'
import { UpperFiles } from './upper-files.js'
import { nodeUpperIo, type UpperIo } from './upper-io.js'
import type { UpperParts } from './upper-keeper.js'

export interface OpenUpperOptions {
  /** To be shared: see layerfile/checksum.ts. */
  readonly checksums?: Checksums
  readonly io?: UpperIo
  /** Every batch is handed to the kernel at once: for tests, which then know what is there. */
  readonly eager?: boolean
}

/**
 * The directory is the container's own, `<root>/packed/containers/<mount-id>/`, and nobody else may have it open. Throws STORE_IO,
 * STORE_VERSION, or STORE_CORRUPT, naming the file: for damage that no crash explains.
 */
export async function openPackedUpper(directory: string, options: OpenUpperOptions = {}): Promise<PackedUpper> {
  const { io = nodeUpperIo } = options
  const { xxh64: sum } = options.checksums ?? (await loadChecksums())
  const path = `${directory}/${journalName}`
  if (io.fileBytes(path) === undefined) throw corruptUpper(path, 'missing')
  const files = new UpperFiles(io, directory)
  const journal = new Journal(io, sum, io.open(path, 'r+'), path, 0, 0)
  try {
    const { parts, unused } = assemble(files, journal, sum, options.eager ?? false)
    if (unused.length > 0) {
      await journal.sync()
      for (const name of unused) files.remove(name)
    }
    return new PackedUpper(parts)
  } catch (error) {
    // Why it cannot be opened is what is told.
    await inTurn([() => files.close(), () => journal.close()]).catch(() => undefined)
    throw error
  }
}

/** Begins a new one in an empty directory, or in one that is not there yet. `root`: what the union's root is in it. */
export async function makePackedUpper(
  directory: string,
  root: NewNode,
  { checksums, io = nodeUpperIo }: Omit<OpenUpperOptions, 'eager'> = {},
): Promise<void> {
  const { xxh64: sum } = checksums ?? (await loadChecksums())
  io.makeDirectory(directory)
  const orphan = io.readdir(directory).find(name => numberOf(name) !== undefined)
  if (orphan !== undefined) throw corruptUpper(`${directory}/${journalName}`, `missing, while there is ${orphan}`)
  const path = `${directory}/${nextJournalName}`
  const journal = Journal.create(io, sum, path)
  const write = async () => {
    writeSnapshot(new UpperTree(root, { record: () => undefined, letGo: () => undefined }), journal)
    await journal.sync()
  }
  await finishing(write, () => journal.close())
  io.rename(path, `${directory}/${journalName}`)
  await io.syncDirectory(directory)
  await io.syncDirectory(dirname(directory))
}

function assemble(files: UpperFiles, journal: Journal, sum: Sum, eager: boolean) {
  const read = journal.read()
  const listener: UpperParts['listener'] = { record: () => undefined, letGo: () => undefined }
  const options = {
    record: (change: Parameters<typeof listener.record>[0]) => listener.record(change),
    letGo: (stored: unknown) => listener.letGo(stored),
  }
  const { tree, frames, seen, wanted } = replay(journal.path, read, files, sum, options)
  journal.end = read.frames[frames.length]?.offset ?? read.end
  journal.durable = Math.min(read.durable, journal.end)
  if (files.io.fileBytes(journal.path) !== journal.end) journal.cut()
  const { segments, unused } = survey(files, wanted)
  const holds = new Holds()
  const parts: UpperParts = {
    directory: files.directory,
    tree,
    journal,
    segments: new Segments(files, sum, segments, seen.segment),
    large: new LargeContents(files, holds, seen.file + 1),
    files,
    holds,
    sum,
    eager,
    listener,
  }
  const clean = frames.every(({ offset, payload }) => offset < journal.durable || payload.length === 0)
  // Whoever wrote them may have been killed before they were on the disk.
  if (!clean) {
    for (const segment of segments.keys()) files.dirty.add(segmentName(segment))
    for (const { file } of wanted.large) files.dirty.add(contentName(file))
    files.namesDirty = true
  }
  return { parts, unused }
}

/** What stands in the directory, and what of it nobody wants. */
function survey(files: UpperFiles, { segments: segmentsWanted, large }: Wanted) {
  const wanted = new Set([journalName])
  for (const segment of segmentsWanted.keys()) wanted.add(segmentName(segment))
  for (const { file } of large) wanted.add(contentName(file))
  const segments = new Map<number, number>()
  const unused: string[] = []
  for (const name of files.io.readdir(files.directory)) {
    const number = numberOf(name)
    if (number === undefined && name !== nextJournalName) continue
    if (!wanted.has(name)) unused.push(name)
    else if (name.startsWith('segment-')) segments.set(number!, files.bytes(name) ?? 0)
  }
  return { segments, unused }
}

/** Of a segment or a content. */
function numberOf(name: string): number | undefined {
  const [, digits] = /^(?:segment|content)-([0-9]{1,10})$/.exec(name) ?? []
  return digits === undefined ? undefined : Number(digits)
}
