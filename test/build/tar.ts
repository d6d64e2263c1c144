/**
 * Raw tar archives, composed byte by byte: no library stands between a test and its bytes.
 *
 * Every function gives the bytes of one part; `tar` joins parts and adds the end marker, `join` joins and adds nothing.
 * Strings are written as UTF-8; pass a Uint8Array for any other bytes. A value that does not fit its ustar field goes
 * where an honest writer would put it: a PAX record (ustar), base-256 or a long-name header (gnu); v7 throws.
 */

export type Bytes = string | Uint8Array
export type Magic = 'ustar' | 'gnu' | 'v7'
/** Fields of a header block, each with offset and length. */
export const fields = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  link: [157, 100],
  magic: [257, 8],
  uname: [265, 32],
  gname: [297, 32],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const
export type Field = keyof typeof fields

export interface HeaderOptions {
  readonly magic?: Magic
  readonly mode?: number
  readonly uid?: number
  readonly gid?: number
  /** Seconds; a fraction becomes a PAX record. */
  readonly mtime?: number
  readonly uname?: Bytes
  readonly gname?: Bytes
  readonly prefix?: Bytes
  /** What the size field says, whatever the body is. */
  readonly size?: number
  /** Numeric fields to write in base-256 though octal would do. */
  readonly base256?: readonly Field[]
  /** More PAX records for the `x` header before this one. */
  readonly pax?: PaxRecords
  /** Written as PAX SCHILY.xattr records. */
  readonly xattrs?: PaxRecords
  /** Bytes put over a field as they are (shorter: the rest is NUL), before the checksum is made. */
  readonly raw?: { readonly [F in Field]?: Bytes }
  /** How bytes of 128 and more count. */
  readonly checksum?: 'unsigned' | 'signed'
}
export type PaxRecords = { readonly [key: string]: Bytes } | readonly (readonly [Bytes, Bytes])[]

const BLOCK = 512
export const toBytes = (bytes: Bytes): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes) : Buffer.from(bytes))

/** The parts as they are. */
export function join(parts: readonly Bytes[]): Buffer {
  return Buffer.concat(parts.map(toBytes))
}

/** The parts, then the end marker. */
export function tar(parts: readonly Bytes[]): Buffer {
  return join([...parts, end()])
}

export const zeroBlock = (): Buffer => Buffer.alloc(BLOCK)
export const end = (): Buffer => Buffer.alloc(2 * BLOCK)
export const rawBytes = (bytes: Bytes): Buffer => toBytes(bytes)

/** NULs up to the next multiple of 512. */
export function padding(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK - (sizeBytes % BLOCK)) % BLOCK)
}
export function padded(body: Bytes): Buffer {
  const bytes = toBytes(body)
  return Buffer.concat([bytes, padding(bytes.length)])
}

/** Octal with leading zeros and a final NUL, filling `length` bytes. */
export function octal(value: number, length: number): Buffer {
  const digits = value.toString(8)
  if (value < 0 || !Number.isInteger(value) || digits.length > length - 1)
    throw new RangeError(`${value} is not ${length - 1} octal digits`)
  return Buffer.from(`${digits.padStart(length - 1, '0')}\0`)
}

/** GNU base-256: two's complement, first byte 0x80 for positive numbers and 0xff for negative ones. */
export function base256(value: number | bigint, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let rest = BigInt(value)
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  bytes[0] = value < 0 ? 0xff : bytes[0]! | 0x80
  return bytes
}

/** Recomputes the checksum of a 512-byte header in place. */
export function seal(header: Buffer, kind: 'unsigned' | 'signed' = 'unsigned'): Buffer {
  header.fill(' ', 148, 156)
  let sum = 0
  for (const byte of header.subarray(0, BLOCK)) sum += kind === 'signed' ? (byte << 24) >> 24 : byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

const magics: Record<Magic, string> = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '' }

/** One header block and nothing else. */
export function header(type: string, name: Bytes, options: HeaderOptions = {}, link: Bytes = ''): Buffer {
  const block = Buffer.alloc(BLOCK)
  const put = (field: Field, bytes: Uint8Array): void => {
    const [at, length] = fields[field]
    if (bytes.length > length) throw new RangeError(`${field} has ${length} bytes, not ${bytes.length}`)
    block.fill(0, at, at + length).set(bytes, at)
  }
  const number = (field: Field, value: number): void => {
    const length = fields[field][1]
    const fits = value >= 0 && value < 8 ** (length - 1)
    put(field, !fits || options.base256?.includes(field) ? base256(value, length) : octal(value, length))
  }
  put('name', toBytes(name))
  number('mode', options.mode ?? (type === '5' ? 0o755 : 0o644))
  number('uid', options.uid ?? 0)
  number('gid', options.gid ?? 0)
  number('size', options.size ?? 0)
  number('mtime', Math.floor(options.mtime ?? 0))
  put('type', toBytes(type))
  put('link', toBytes(link))
  put('magic', Buffer.from(magics[options.magic ?? 'ustar'], 'latin1'))
  if (options.uname !== undefined) put('uname', toBytes(options.uname))
  if (options.gname !== undefined) put('gname', toBytes(options.gname))
  if (options.prefix !== undefined) put('prefix', toBytes(options.prefix))
  for (const [field, bytes] of Object.entries(options.raw ?? {})) put(field as Field, toBytes(bytes))
  return options.raw?.checksum === undefined ? seal(block, options.checksum) : block
}

function pairs(records: PaxRecords | undefined): readonly (readonly [Bytes, Bytes])[] {
  if (records === undefined) return []
  return Array.isArray(records) ? records : Object.entries(records)
}

/** One record, `<length> <key>=<value>\n`, its length counting itself. */
export function paxRecord(key: Bytes, value: Bytes): Buffer {
  const rest = join([' ', key, '=', value, '\n'])
  let length = rest.length + 1
  while (`${length}`.length + rest.length !== length) length = `${length}`.length + rest.length
  return join([`${length}`, rest])
}

/** A local PAX header over body bytes as they are. */
export function paxRaw(body: Bytes, options: HeaderOptions = {}, type = 'x'): Buffer {
  const bytes = toBytes(body)
  return join([header(type, 'PaxHeaders.0/x', { size: bytes.length, ...options }), padded(bytes)])
}
export function pax(records: PaxRecords, options: HeaderOptions = {}): Buffer {
  return paxRaw(join(pairs(records).map(([key, value]) => paxRecord(key, value))), options)
}
export function globalPax(records: PaxRecords, options: HeaderOptions = {}): Buffer {
  return paxRaw(join(pairs(records).map(([key, value]) => paxRecord(key, value))), options, 'g')
}

/** GNU `L`: the next entry's name, with the NUL that GNU tar writes. `longRaw` takes the body as it is. */
export const longName = (name: Bytes): Buffer => longRaw('L', join([name, '\0']))
/** GNU `K`: the next entry's link target. */
export const longLink = (target: Bytes): Buffer => longRaw('K', join([target, '\0']))
export function longRaw(type: 'L' | 'K', body: Bytes, options: HeaderOptions = {}): Buffer {
  const bytes = toBytes(body)
  return join([header(type, '././@LongLink', { magic: 'gnu', size: bytes.length, ...options }), padded(bytes)])
}

/** The meta headers that a value needs which does not fit, then the header, then the body. */
export function entry(
  type: string,
  name: Bytes,
  options: HeaderOptions = {},
  body: Bytes = '',
  link: Bytes = '',
): Buffer {
  const magic = options.magic ?? 'ustar'
  const bytes = toBytes(body)
  const records: [Bytes, Bytes][] = []
  const meta: Buffer[] = []
  const fit = (value: Bytes, key: string, long: (value: Bytes) => Buffer): Bytes => {
    const text = toBytes(value)
    if (text.length <= 100) return value
    if (magic === 'v7') throw new RangeError(`v7 has no ${key} of ${text.length} bytes`)
    if (magic === 'ustar') records.push([key, value])
    else meta.push(long(value))
    return text.subarray(0, 100)
  }
  const number = (value: number, key: string, max: number): number => {
    if (magic === 'gnu' || (value >= 0 && value <= max && Number.isInteger(value))) return value
    if (magic === 'v7') throw new RangeError(`v7 has no ${key} ${value}`)
    records.push([key, `${value}`])
    return 0
  }
  const shortLink = fit(link, 'linkpath', longLink)
  const shortName = fit(name, 'path', longName)
  const base = {
    ...options,
    uid: number(options.uid ?? 0, 'uid', 0o7777777),
    gid: number(options.gid ?? 0, 'gid', 0o7777777),
    mtime: number(options.mtime ?? 0, 'mtime', 0o77777777777),
    size: number(options.size ?? bytes.length, 'size', 0o77777777777),
  }
  for (const [key, value] of pairs(options.xattrs)) records.push([join(['SCHILY.xattr.', key]), value])
  records.push(...(pairs(options.pax) as [Bytes, Bytes][]))
  if (records.length > 0) meta.push(pax(records))
  return join([...meta, header(type, shortName, base, shortLink), padded(bytes)])
}

export const file = (name: Bytes, body: Bytes = '', options: HeaderOptions = {}): Buffer =>
  entry('0', name, options, body)
/** The name is written as it is given: end it with `/` where that matters. */
export const dir = (name: Bytes, options: HeaderOptions = {}): Buffer => entry('5', name, options)
export const symlink = (name: Bytes, target: Bytes, options: HeaderOptions = {}): Buffer =>
  entry('2', name, { mode: 0o777, ...options }, '', target)
export const hardlink = (name: Bytes, target: Bytes, options: HeaderOptions = {}): Buffer =>
  entry('1', name, options, '', target)
export const char = (name: Bytes, major: number, minor: number, options: HeaderOptions = {}): Buffer =>
  device('3', name, major, minor, options)
export const block = (name: Bytes, major: number, minor: number, options: HeaderOptions = {}): Buffer =>
  device('4', name, major, minor, options)
export const fifo = (name: Bytes, options: HeaderOptions = {}): Buffer => entry('6', name, options)

function device(type: string, name: Bytes, major: number, minor: number, options: HeaderOptions): Buffer {
  const number = (value: number): Buffer => (value >= 0 && value < 8 ** 7 ? octal(value, 8) : base256(value, 8))
  return entry(type, name, { ...options, raw: { major: number(major), minor: number(minor), ...options.raw } })
}
