/** Errors of compressed bytes. */
import { printable } from '../byte-string.js'
import { PhylloError } from '../errors.js'

export function invalid(label: string, algorithm: string, reason: string, cause?: unknown): PhylloError {
  return new PhylloError('COMPRESSION_INVALID', `${label}: ${algorithm}: ${printable(reason)}`, { cause })
}

export function unsupported(label: string, algorithm: string, reason: string): PhylloError {
  return new PhylloError('COMPRESSION_UNSUPPORTED', `${label}: ${algorithm}: ${reason}`)
}

export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
