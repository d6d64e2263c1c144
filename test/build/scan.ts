/** Scanning whole archives in tests, and what a refusal looks like. */
import assert from 'node:assert/strict'
import { type ErrorCode, PhylloError } from '../../src/errors.js'
import { defaultLimits, type Limits } from '../../src/limits.js'
import type { TarEntry } from '../../src/tar/entry.js'
import { TarScanner } from '../../src/tar/scanner.js'

export interface ScanOptions {
  readonly limits?: Partial<Limits>
  /** Bytes a chunk; all at once if absent. */
  readonly chunkBytes?: number
}

/** All entries. Each chunk is a copy that is overwritten after `push`: references to it would show. */
export function scan(bytes: Uint8Array, options: ScanOptions = {}): TarEntry[] {
  const entries: TarEntry[] = []
  const scanner = new TarScanner({
    limits: { ...defaultLimits, ...options.limits },
    onEntry: entry => entries.push(entry),
  })
  const step = options.chunkBytes ?? Math.max(1, bytes.length)
  for (let at = 0; at < bytes.length; at += step) {
    const chunk = Buffer.from(bytes.subarray(at, at + step))
    scanner.push(chunk)
    chunk.fill(0xaa)
  }
  scanner.end()
  assert.equal(scanner.offset, bytes.length)
  assert.equal(scanner.entries, entries.length)
  return entries
}

export function names(entries: readonly TarEntry[]): string[] {
  return entries.map(entry => entry.name)
}

/** The PhylloError that `work` throws; anything else fails the test. */
export function refusal(work: () => unknown): PhylloError {
  try {
    work()
  } catch (error) {
    assert.ok(error instanceof PhylloError, `not a PhylloError: ${error}`)
    return error
  }
  assert.fail('was accepted')
}

/** Asserts that the archive is refused with this code, whole or byte by byte, and gives the error. */
export function refused(bytes: Uint8Array, code: ErrorCode, options: ScanOptions = {}): PhylloError {
  const error = refusal(() => scan(bytes, options))
  assert.equal(error.code, code, error.message)
  const again = refusal(() => scan(bytes, { ...options, chunkBytes: bytes.length > 65_536 ? 999 : 1 }))
  assert.equal(again.message, error.message)
  return error
}
