/** What a run of random operations must have met, so that the generator cannot go blind; per 10,000 operations at least once. */
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

/** Pairs that were met too seldom for so many operations. */
export function unmet(outcomes: ReadonlyMap<string, number>, operations: number): string[] {
  const least = Math.floor(operations / 10_000)
  return Object.entries(outcomesToMeet).flatMap(([call, codes]) =>
    codes.map(code => `${call} ${code}`).filter(pair => (outcomes.get(pair) ?? 0) < least),
  )
}
