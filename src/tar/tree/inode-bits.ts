/** What the numbers in the columns of a tree mean. The index of a layer file holds them as they are. */

export const inodeFlags = { opaque: 1, implied: 2 } as const

/** st_mode's type bits. */
export const typeBits = {
  fifo: 0o010000,
  char: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
} as const
export const typeMask = 0o170000
