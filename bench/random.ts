/** Numbers that look random and are the same in every run: inputs of benchmarks may not differ from run to run. */

export type Random = () => number

/** A generator of 32 bits of state (a Weyl sequence, mixed); numbers from 0 up to 1. */
export function seeded(seed: number): Random {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
}

/** The items in another order. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const out = [...items]
  for (let at = out.length - 1; at > 0; at--) {
    const other = Math.floor(random() * (at + 1))
    const item = out[at]!
    out[at] = out[other]!
    out[other] = item
  }
  return out
}
