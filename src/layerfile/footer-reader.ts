/**
 * Footer and sections of an open layer file.
 *
 * Invariant: nothing is given out that was not compared with its checksum, and no section that the index has no room for.
 */
import type { Checksums } from './checksum.js'
import { fileBytes, readAll } from './file-io.js'
import {
  corrupt,
  decodeFooter,
  type Footer,
  footerBytes,
  footerLength,
  type SectionName,
  sectionNames,
  sections,
  trailerBytes,
} from './format.js'

/** The footer of an open file. Throws STORE_CORRUPT, STORE_VERSION or STORE_IO. */
export async function readFooter(fd: number, path: string, checksums: Checksums): Promise<Footer> {
  const size = await fileBytes(fd, path)
  if (size < footerBytes) throw corrupt(path, `${size} bytes are too few for a layer file`)
  let bytes = Buffer.allocUnsafeSlow(footerBytes)
  await readAll(fd, bytes, size - footerBytes, path)
  const length = footerLength(bytes.subarray(footerBytes - trailerBytes), path)
  if (length > size) throw corrupt(path, 'does not end in the footer of a layer file')
  if (length !== footerBytes) {
    bytes = Buffer.allocUnsafeSlow(length)
    await readAll(fd, bytes, size - length, path)
  }
  const footer = decodeFooter(bytes, path, checksums.xxh64)
  if (footer.indexOffset + footer.indexBytes !== size - length)
    throw corrupt(path, 'the file is not as long as its footer says')
  checkSections(footer, path)
  return footer
}

/** One section of the index alone, in memory of its own. Throws STORE_CORRUPT or STORE_IO. */
export async function readSection(
  fd: number,
  path: string,
  footer: Footer,
  name: SectionName,
  checksums: Checksums,
): Promise<Buffer> {
  const { offset, length } = footer.sections[name]
  const bytes = Buffer.allocUnsafeSlow(length)
  await readAll(fd, bytes, footer.indexOffset + offset, path)
  verifySection(bytes, name, path, footer, checksums)
  return bytes
}

/** Throws STORE_CORRUPT when these bytes are not the section. */
export function verifySection(
  bytes: Buffer,
  name: SectionName,
  path: string,
  footer: Footer,
  checksums: Checksums,
): void {
  const { offset, checksum } = footer.sections[name]
  const [low, high] = checksums.xxh64(bytes)
  if (low === checksum[0] && high === checksum[1]) return
  throw corrupt(path, `section ${name} of the index is damaged`, { offset: footer.indexOffset + offset })
}

/** Every column has a row for each inode, every dirent its two numbers, and all of it is inside the index. */
function checkSections({ sections: table, indexBytes }: Footer, path: string): void {
  const inodes = table.mode.length / sections.mode
  const dirents = table.direntInode.length / sections.direntInode
  const expected: Partial<Record<SectionName, number>> = { direntName: dirents + 1, direntInode: dirents }
  const free: readonly SectionName[] = ['blocks', 'names', 'targets', 'xattrs']
  for (const name of sectionNames) {
    const { offset, length } = table[name]
    const rows = length / sections[name]
    const fits = free.includes(name) ? Number.isInteger(rows) : rows === (expected[name] ?? inodes)
    if (!fits || offset + length > indexBytes || offset % 8 !== 0 || (name === 'blocks' && rows < 1))
      throw corrupt(path, `section ${name} of the index does not fit the others`)
  }
}
