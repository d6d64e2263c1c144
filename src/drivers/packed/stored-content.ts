/** Where a content of the upper is: the `stored` of a node of its tree. One object for a content as long as it stays of its kind. */

interface Recorded {
  /** Bytes of the content. */
  bytes: number
  /** Which frame of the journal has the latest record of it, and where in the frame: while that is not written, it is corrected there. */
  frame: number
  recordAt: number
}

/** One run of bytes in a segment file. */
export interface SmallContent extends Recorded {
  readonly kind: 'small'
  segment: number
  offset: number
  /** Bytes that it may have where it is, while that is still in memory. */
  room: number
}

/** A file of its own, `content-N`. */
export interface LargeContent extends Recorded {
  readonly kind: 'large'
  readonly file: number
  /** Bytes that the journal, as far as the kernel has it, takes for content. */
  known: number
  /** Bytes up to which the file may hold something; from `bytes` on it counts for nothing. */
  reach: number
}

export type StoredContent = SmallContent | LargeContent

export function smallContent(segment: number, offset: number, bytes: number): SmallContent {
  return { kind: 'small', segment, offset, room: bytes, bytes, frame: -1, recordAt: 0 }
}

export function largeContent(file: number, bytes = 0): LargeContent {
  return { kind: 'large', file, bytes, known: 0, reach: bytes, frame: -1, recordAt: 0 }
}

export const segmentName = (segment: number): string => `segment-${segment}`
export const contentName = (file: number): string => `content-${file}`
