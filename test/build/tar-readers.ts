/** Three readers of tar archives that give the same listing: ours, tar-stream, GNU tar. And archives that are damaged. */
import { spawnSync } from 'node:child_process'
import { extract } from 'tar-stream'
import { fromText } from '../../src/byte-string.js'
import { PhylloError } from '../../src/errors.js'
import type { TarEntry } from '../../src/tar/entry.js'
import type { Random } from './random-tar.js'
import { scan } from './scan.js'
import { fields, header, seal } from './tar.js'

/** One line an entry; undefined when the reader refuses the archive. */
export type Listing = readonly string[] | undefined

interface Line {
  readonly type: string
  /** Bytes as latin1. */
  readonly name: string
  readonly linkName: string
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly size: number
  readonly mtimeSec: number
}

/** Times are bounded as ours are (C13): no other reader has a bound. */
function lineOf(line: Line): string {
  const { type, name, linkName, mode, uid, gid, size } = line
  const mtimeSec = Math.min(Math.max(line.mtimeSec, -(2 ** 33)), 2 ** 33 - 1)
  return JSON.stringify([
    type,
    name,
    linkName,
    (mode & 0o7777).toString(8),
    uid,
    gid,
    type === 'file' ? size : 0,
    mtimeSec,
  ])
}

/**
 * `towardsZero`: the times as GNU tar prints them. It counts fractions of times before 1970 backwards, from the whole
 * second nearer to zero.
 */
export function ours(bytes: Uint8Array, towardsZero = false): Listing {
  const secOf = ({ mtimeSec, mtimeNsec }: TarEntry): number =>
    towardsZero && mtimeSec < 0 && mtimeNsec > 0 ? mtimeSec + 1 : mtimeSec
  try {
    return scan(bytes).map(entry => lineOf({ ...entry, mtimeSec: secOf(entry), size: entry.sizeBytes }))
  } catch (error) {
    if (error instanceof PhylloError) return undefined
    throw error
  }
}

const tarStreamTypes: Record<string, string> = {
  link: 'hardlink',
  'character-device': 'char',
  'block-device': 'block',
  'contiguous-file': 'file',
}

/** tar-stream leaves owners and times of PAX headers to its user, and gives PAX text decoded from UTF-8. */
export async function tarStream(bytes: Uint8Array): Promise<Listing> {
  const lines: string[] = []
  // Its own types do not know these two options.
  const options: object = { filenameEncoding: 'latin1', allowUnknownFormat: true }
  const reader = extract(options)
  reader.end(Buffer.from(bytes))
  try {
    for await (const entry of reader) {
      const found = entry.header
      const pax = (found.pax ?? {}) as Partial<Record<string, string>>
      const { type } = found
      const link = type === 'link' || type === 'symlink'
      lines.push(
        lineOf({
          type: tarStreamTypes[type] ?? type,
          name: pax.path === undefined ? found.name : fromText(pax.path),
          linkName: !link ? '' : pax.linkpath === undefined ? found.linkname : fromText(pax.linkpath),
          mode: found.mode,
          uid: Number(pax.uid ?? found.uid),
          gid: Number(pax.gid ?? found.gid),
          size: found.size,
          mtimeSec: Math.floor(Number(pax.mtime ?? found.mtime.getTime() / 1000)),
        }),
      )
      entry.resume()
    }
  } catch {
    // Whatever it throws: it refuses the archive.
    return undefined
  }
  return lines
}

const gnuTypes: Record<string, string> = {
  '-': 'file',
  C: 'file',
  d: 'directory',
  l: 'symlink',
  h: 'hardlink',
  c: 'char',
  b: 'block',
  p: 'fifo',
}
const gnuLine =
  /^(.)([-rwxsStT]{9}) (\d+)\/(\d+) +(\d+|\d+,\d+) ([-\d]+ [\d:]+|-?\d+)(?:\.\d+)? +"((?:[^"\\]|\\.)*)"(?: (?:->|link to) "((?:[^"\\]|\\.)*)")?$/s

export function gnuTar(bytes: Uint8Array): Listing {
  const args = ['-P', '--list', '--verbose', '--full-time', '--numeric-owner', '--quoting-style=c', '--file=-']
  const run = spawnSync('tar', args, {
    input: bytes,
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' },
  })
  if (run.error !== undefined) throw run.error
  if (run.status !== 0) return undefined
  return run.stdout
    .split('\n')
    .slice(0, -1)
    .map(text => {
      const match = gnuLine.exec(text)
      if (match === null) throw new Error(`GNU tar prints ${text}`)
      return lineOf({
        type: gnuTypes[match[1]!] ?? match[1]!,
        name: unquote(match[7]!),
        linkName: unquote(match[8] ?? ''),
        mode: modeOf(match[2]!),
        uid: Number(match[3]),
        gid: Number(match[4]),
        size: Number(match[5]!.includes(',') ? 0 : match[5]),
        mtimeSec: timeOf(match[6]!),
      })
    })
}

/** A date of UTC, or bare seconds where the year is beyond what GNU tar formats. */
function timeOf(text: string): number {
  if (!text.includes(' ')) return Number(text)
  if (text.startsWith('-')) return Number.NEGATIVE_INFINITY
  const [, year, rest] = /^(\d+)(-.*)$/.exec(text.replace(' ', 'T'))!
  // Date.parse wants a sign and six digits for years of more than four; beyond its range, so are we beyond ours.
  const date = year!.length > 4 ? `+${year!.padStart(6, '0')}${rest}Z` : `${year}${rest}Z`
  const milliseconds = Date.parse(date)
  return Number.isNaN(milliseconds) ? Number.POSITIVE_INFINITY : milliseconds / 1000
}

function modeOf(text: string): number {
  let mode = 0
  for (let i = 0; i < 9; i++) {
    const letter = text[i]!
    if (letter !== '-' && letter !== 'S' && letter !== 'T') mode |= 0o400 >> i
    if ('sStT'.includes(letter)) mode |= [0o4000, 0o2000, 0o1000][Math.floor(i / 3)]!
  }
  return mode
}

const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' }

/** The C string literals of GNU tar. */
function unquote(text: string): string {
  return text.replace(/\\([0-7]{3}|.)/gs, (_, what: string) =>
    what.length === 3 ? String.fromCharCode(Number.parseInt(what, 8)) : (escapes[what] ?? what),
  )
}

const interesting = [
  '0000000\0',
  '7777777\0',
  '77777777777\0',
  '00000001000\0',
  '        ',
  '            ',
  '-000001\0',
  '0000008\0',
  '\0',
  '1',
  '00000000',
  '777777777777',
  ' 1 ',
  '1 1',
  '\x80\0\0\0\0\0\0\x01',
  '\x80\0\0\0\0\0\0\0\0\0\x02\0',
  '\xff\xff\xff\xff\xff\xff\xff\xff',
  '\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff',
  '\x81\0\0\0\0\0\0\x01',
  'a/',
  '../x',
  '/',
  '.',
  'ustar\x0000',
  'ustar  \0',
]

/** One damage to a valid archive, at a header or a meta body; most keep the checksum right, as an attacker would. */
export function damage(random: Random, archive: Buffer): Buffer {
  const bytes = Buffer.from(archive)
  const entry = random.pick(scan(archive))
  const blocks = (entry.contentOffset - entry.headerOffset) / 512
  const at = entry.headerOffset + 512 * random.int(blocks)
  const block = bytes.subarray(at, at + 512)
  const isHeader = seal(Buffer.from(block)).equals(block)
  const kind = random.int(10)
  if (kind === 0) return bytes.subarray(0, random.int(bytes.length))
  if (kind === 1) return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 512)])
  if (kind === 2) return Buffer.concat([bytes.subarray(0, at), block, bytes.subarray(at)])
  if (kind === 3) return Buffer.concat([bytes.subarray(0, at), extra(random), bytes.subarray(at)])
  if (!isHeader) {
    const used = Math.max(1, block.indexOf(0))
    block[random.int(used)] = random.pick([...Buffer.from('0123456789 =\n\0ax-.'), random.int(256)])
  } else if (kind < 6) block[random.int(512)] = random.int(256)
  else if (kind === 6) block.write(random.pick([...'01234567\0xgLKSA']), 156, 'latin1')
  else {
    const [start, length] = fields[random.pick(Object.keys(fields) as (keyof typeof fields)[])]
    const value = Buffer.from(random.pick(interesting), 'latin1')
    block.fill(0, start, start + length).set(value.subarray(0, length), start)
  }
  if (isHeader && random.chance(0.9)) seal(block)
  return bytes
}

function extra(random: Random): Buffer {
  return random.pick([
    Buffer.alloc(512),
    Buffer.alloc(1024),
    header('0', 'extra'),
    header('x', 'x', { size: 0 }),
    random.bytes(512),
  ])
}
