/**
 * The end of a run says again what failed in it, for whoever sees nothing but the end: `.ci/run` repeats what follows this
 * heading. Blocks are shortened; they stand whole where it happened.
 */
const heading = 'failed:'
const mostLines = 60

export function sayAgain(blocks: readonly string[]): void {
  if (blocks.length > 0) console.log(['', heading, ...blocks.map(shortened)].join('\n'))
}

function shortened(block: string): string {
  const lines = block.split('\n')
  if (lines.length <= mostLines) return block
  return [...lines.slice(0, mostLines), `      … ${lines.length - mostLines} more lines above`].join('\n')
}
