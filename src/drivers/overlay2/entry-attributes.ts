/** What lstat(2) says of an entry of a layer or an upper, in the words of trees. */
import type { BigIntStats } from 'node:fs'
import type { Time } from '../../tar/numbers.js'

export const typeMask = 0o170000
export const directoryType = 0o040000
export const fileType = 0o100000
export const symlinkType = 0o120000
const deviceType = 0o020000
const blockType = 0o060000

/** A character device 0:0, whatever else it says of itself (R-WH-1). It may have other names, which mean nothing (R-WH-2). */
export function isWhiteout({ mode, rdev }: BigIntStats): boolean {
  return typeOf(mode) === deviceType && rdev === 0n
}

export function typeOf(mode: bigint | number): number {
  return Number(mode) & typeMask
}

export function timeOf(ns: bigint): Time {
  const [sec, nsec] = [ns / 1_000_000_000n, ns % 1_000_000_000n]
  return nsec < 0n ? { sec: Number(sec) - 1, nsec: Number(nsec) + 1e9 } : { sec: Number(sec), nsec: Number(nsec) }
}

/** Of a device; 0:0 of all else. As glibc's gnu_dev_major and gnu_dev_minor take it apart. */
export function deviceOf({ mode, rdev }: BigIntStats): { readonly deviceMajor: number; readonly deviceMinor: number } {
  const type = typeOf(mode)
  if (type !== deviceType && type !== blockType) return { deviceMajor: 0, deviceMinor: 0 }
  const deviceMajor = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n))
  const deviceMinor = Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n))
  return { deviceMajor, deviceMinor }
}

/** Content bytes of a file, target bytes of a symlink, 0 otherwise. */
export function sizeOf({ mode, size }: BigIntStats): number {
  const type = typeOf(mode)
  return type === fileType || type === symlinkType ? Number(size) : 0
}
