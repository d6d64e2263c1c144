/** What a run of random operations against the kernel must have met: outcomes of calls, and every rule by which a container differs. */

/**
 * So that the generator cannot go blind, per 10,000 operations at least once (facts: 6.5). `ok` is success.
 */
export const outcomesToMeet: Readonly<Record<string, readonly string[]>> = {
  chmod: ['ok', 'ENOENT', 'ELOOP', 'ENOTDIR'],
  link: ['ok', 'EEXIST', 'ENOENT', 'EPERM', 'ENOTDIR', 'ELOOP'],
  mkdir: ['ok', 'EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP'],
  open: ['ok', 'EISDIR', 'ENOENT', 'EEXIST', 'ENOTDIR', 'ELOOP'],
  rename: ['ok', 'ENOENT', 'ENOTDIR', 'EXDEV', 'EINVAL', 'EISDIR', 'ENOTEMPTY', 'ELOOP'],
  rmdir: ['ok', 'ENOTDIR', 'ENOENT', 'ENOTEMPTY', 'ELOOP'],
  symlink: ['ok', 'EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP'],
  truncate: ['ok', 'EISDIR', 'ENOENT', 'ELOOP', 'ENOTDIR'],
  unlink: ['ok', 'EISDIR', 'ENOENT', 'ENOTDIR', 'ELOOP'],
}

/** The rules by which a container differs from the kernel on purpose, each with its reason. Each has to occur in a campaign. */
export const deliberateDifferences: Readonly<Record<string, string>> = {
  'no-wait': 'Fifos and devices cannot be opened: ENXIO. There is no driver behind them and nobody at the other end.',
}

/** What is different on purpose, and how often it occurred. */
export class Differences {
  readonly counts = new Map<string, number>()

  count(rule: string): void {
    if (!(rule in deliberateDifferences)) throw new TypeError(`${rule} is no rule of union-profile.ts`)
    this.counts.set(rule, (this.counts.get(rule) ?? 0) + 1)
  }
}

export interface Tally {
  readonly differences: Differences
  /** Of each operation what came of it: `rename ENOENT`. */
  readonly outcomes?: Map<string, number>
}

/** Outcomes that were met too seldom for so many operations, and rules that nobody needed. */
export function unmet({ outcomes, differences }: Required<Tally>, operations: number): string[] {
  const least = Math.max(1, Math.floor(operations / 10_000))
  const pairs = Object.entries(outcomesToMeet).flatMap(([call, codes]) => codes.map(code => `${call} ${code}`))
  return [
    ...pairs.filter(pair => (outcomes.get(pair) ?? 0) < least),
    ...Object.keys(deliberateDifferences).filter(rule => !differences.counts.has(rule)),
  ]
}
