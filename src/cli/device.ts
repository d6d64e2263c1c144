/** Device numbers as node:fs has them: the kernel's 64 bits, as makedev(3) packs them. */
import type { Stats } from 'node:fs'

export function deviceOf({ rdev }: Stats): { readonly major: number; readonly minor: number } {
  const [low, high] = [(rdev % 2 ** 32) >>> 0, Math.floor(rdev / 2 ** 32)]
  return { major: ((low >>> 8) & 0xfff) | (high & ~0xfff), minor: (low & 0xff) | ((low >>> 12) & ~0xff) }
}
