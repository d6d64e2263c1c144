/** Writes the index and the footer behind the frame, section by section, without holding the whole index in memory. */
import { limitError } from '../limits.js'
import type { BlockRows } from './block-rows.js'
import type { Checksums } from './checksum.js'
import { writeAllSync } from './file-io.js'
import {
  encodeFooter,
  type Footer,
  indexMagic,
  type Section,
  type SectionName,
  sectionAlignment,
  skippableHeaderBytes,
} from './format.js'
import type { TreeIndex } from './tree-index.js'

export interface IndexInput {
  readonly fd: number
  /** Where `fd` is. */
  readonly path: string
  readonly label: string
  readonly checksums: Checksums
  readonly facts: Pick<Footer, 'diffId' | 'tarBytes' | 'sizeBytes' | 'entries' | 'frameEnd'>
  readonly blocks: BlockRows
  readonly tree: TreeIndex
}

/** The answer is the length of the file. */
export function writeIndex({ fd, path, label, checksums, facts, blocks, tree }: IndexInput): number {
  const frameStart = facts.frameEnd
  const indexOffset = aligned(frameStart + skippableHeaderBytes)
  const table: Partial<Record<SectionName, Section>> = {}
  const padding = new Uint8Array(sectionAlignment)
  let at = indexOffset
  const write = (name: SectionName, parts: Iterable<Uint8Array>): void => {
    const sum = checksums.xxh64Parts()
    const offset = at
    for (const part of parts) {
      sum.update(part)
      writeAllSync(fd, [part], at, path)
      at += part.length
    }
    table[name] = { offset: offset - indexOffset, length: at - offset, checksum: sum.digest() }
    const gap = aligned(at) - at
    writeAllSync(fd, [padding.subarray(0, gap)], at, path)
    at += gap
  }
  write('blocks', [blocks.bytes])
  blocks.clear()
  for (const [name, parts] of tree.sections()) write(name, parts)

  const header = Buffer.alloc(indexOffset - frameStart) // the frame's header, and zeros up to the first section
  const payloadBytes = at - frameStart - skippableHeaderBytes
  if (payloadBytes > mostPayloadBytes)
    throw limitError('tarMetaTotalBytes', mostPayloadBytes, payloadBytes, `${label}: bytes of the index`)
  header.writeUInt32LE(indexMagic, 0)
  header.writeUInt32LE(payloadBytes, 4)
  writeAllSync(fd, [header], frameStart, path)
  const sections = table as Record<SectionName, Section>
  const footer = encodeFooter({ ...facts, indexOffset, indexBytes: at - indexOffset, sections }, checksums.xxh64)
  writeAllSync(fd, [footer], at, path)
  return at + footer.length
}

/** The length of a skippable frame has 32 bits. */
const mostPayloadBytes = 0xffff_ffff

function aligned(offset: number): number {
  return Math.ceil(offset / sectionAlignment) * sectionAlignment
}
