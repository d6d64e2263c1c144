/** The operations of a container that go through its face: those on open files, on whole trees and contents, and what stat tells. */
import type { ContainerFs } from '../../src/overlay/face/container-face.js'
import type { Union } from '../../src/overlay/union/union.js'
import { flagsOf, type Outcome, outcomeOf } from './union-run.js'
import type { Op } from './union-sequence.js'

const types = { 1: 'p', 2: 'c', 4: 'd', 6: 'b', 8: 'f', 10: 'l', 12: 's' } as const
const nano = 1e9

export interface Driven {
  readonly union: Union
  readonly box: ContainerFs
  /** Descriptors, by the number that who opens gives them. */
  readonly open: Map<number, number>
}

/** What came of it: as `outcomeOf` says, which does all other operations. */
export function callFace(driven: Driven, op: Op): Outcome {
  const call = calls[op[0]]
  if (call === undefined) return outcomeOf(driven.union, op)
  try {
    return call(driven, ...op.slice(1)) ?? null
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error
    return { errno: code }
  }
}

type Call = (driven: Driven, ...args: unknown[]) => unknown

const calls: Readonly<Record<string, Call>> = {
  read: ({ box }, path) => box.readFileSync(path as string, 'latin1'),
  look({ box }, path, follow) {
    const stats = box[follow ? 'statSync' : 'lstatSync'](path as string)!
    const { mode, uid, gid, size, mtimeMs, rdev } = stats
    const t = types[(mode >> 12) as 4]
    const mtime = Math.floor(mtimeMs / 1000) * nano
    return {
      ...{ t, mode: mode & 0o7777, uid, gid, mtime },
      size: t === 'd' ? undefined : size,
      rdev: [rdev >> 8, rdev & 0xff],
    }
  },
  rmrf: ({ box }, path) => box.rmSync(path as string, { recursive: true, force: true }),
  hopen({ box, open }, number, path, how, mode) {
    const fd = box.openSync(path as string, flagsOf(how as string), mode as number)
    if (box.fstatSync(fd).isDirectory()) box.closeSync(fd)
    else open.set(number as number, fd)
  },
  hread({ box, open }, number, position, bytes) {
    const into = Buffer.alloc(bytes as number)
    const count = box.readSync(open.get(number as number)!, into, 0, into.length, position as number)
    return into.toString('latin1', 0, count)
  },
  hwrite: ({ box, open }, number, data) =>
    void box.writeSync(open.get(number as number)!, Buffer.from(data as string, 'latin1')),
  hwriteat({ box, open }, number, data, at) {
    const bytes = Buffer.from(data as string, 'latin1')
    box.writeSync(open.get(number as number)!, bytes, 0, bytes.length, at as number)
  },
  htruncate: ({ box, open }, number, size) => box.ftruncateSync(open.get(number as number)!, size as number),
  hchmod: ({ box, open }, number, mode) => box.fchmodSync(open.get(number as number)!, mode as number),
  hstat({ box, open }, number) {
    const { mode, uid, gid, size, mtimeMs } = box.fstatSync(open.get(number as number)!)
    return { mode: mode & 0o7777, uid, gid, mtime: Math.floor(mtimeMs / 1000) * nano, size }
  },
  hclose({ box, open }, number) {
    box.closeSync(open.get(number as number)!)
    open.delete(number as number)
  },
}
