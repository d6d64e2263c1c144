/**
 * Where everything stands in an archive that is to be written: members sorted by name, directories implied, no owner and
 * no time, so that the bytes depend on the contents alone. tar-stream makes the headers.
 */
import type { Header, Pack } from 'tar-stream'
import type { LayerTar } from '../drivers/layer.js'
import { compareBytes } from '../oci/go-json.js'

/** A content that is not in memory. */
export interface Content {
  readonly sizeBytes: number
  /** For progress. */
  readonly subject: string
  /** Whose tar it is. */
  readonly layer?: LayerTar
  /** Copies bytes from `position` on into `into`; answers how many, 0 only at the end. */
  read(position: number, into: Uint8Array): Promise<number>
}

/** A content and where it begins in the archive. */
export interface Placed {
  readonly position: number
  readonly content: Content
}

export interface ArchiveLayout {
  readonly sizeBytes: number
  /** In their order, without gaps: contents, and all that stands before, between and behind them. */
  readonly pieces: readonly (Placed | { readonly position: number; readonly bytes: Buffer })[]
}

/** Every member's time. */
const epoch = new Date(0)
const recordBytes = 512
const endOfArchive = Buffer.alloc(2 * recordBytes)

export async function layOut(members: ReadonlyMap<string, Buffer | Content>): Promise<ArchiveLayout> {
  const { pack } = await import('tar-stream')
  const names = [...new Set([...members.keys()].flatMap(name => [...parentsOf(name), name]))].sort(compareBytes)
  const pieces: ArchiveLayout['pieces'][number][] = []
  let position = 0
  let between: Buffer[] = []
  const flush = () => {
    const bytes = Buffer.concat(between)
    between = []
    pieces.push({ position, bytes })
    position += bytes.length
  }
  for (const name of names) {
    const member = members.get(name)
    if (member === undefined) between.push(await headerOf(pack(), { name, type: 'directory', mode: 0o755 }))
    else if (Buffer.isBuffer(member)) {
      between.push(await headerOf(pack(), { name, mode: 0o644, size: member.length }), member, padding(member.length))
    } else {
      between.push(await headerOf(pack(), { name, mode: 0o644, size: member.sizeBytes }))
      flush()
      pieces.push({ position, content: member })
      position += member.sizeBytes
      between.push(padding(member.sizeBytes))
    }
  }
  between.push(endOfArchive)
  flush()
  return { sizeBytes: position, pieces }
}

/** The header as tar-stream writes it, PAX records included, of an entry whose body somebody else writes. */
async function headerOf(pack: Pack, header: Pick<Header, 'name'> & Partial<Header>): Promise<Buffer> {
  // The entry is broken off below: that is no failure.
  pack.entry({ ...header, uid: 0, gid: 0, mtime: epoch }, () => undefined).on('error', () => undefined)
  await new Promise<void>(resolve => pack.once('readable', () => resolve()))
  const chunks: Buffer[] = []
  for (let chunk = pack.read(); chunk !== null; chunk = pack.read()) chunks.push(chunk as Buffer)
  pack.destroy()
  return Buffer.concat(chunks)
}

/** Up to the next whole record. */
function padding(size: number): Buffer {
  return Buffer.alloc((recordBytes - (size % recordBytes)) % recordBytes)
}

/** `a/` and `a/b/` of `a/b/c`. */
function parentsOf(name: string): string[] {
  const components = name.split('/')
  return components.slice(1).map((_, index) => `${components.slice(0, index + 1).join('/')}/`)
}
