/** Ids as Docker draws them, for containers, mounts and directories of layers. */
import type { Io } from './io.js'

/** 64 hex digits, drawn again while the short form could be taken for a number. */
export function randomId(io: Pick<Io, 'randomName'>): string {
  for (;;) {
    const id = io.randomName() + io.randomName()
    if (!/^\d{12}/.test(id)) return id
  }
}
