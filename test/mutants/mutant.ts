/** A small breakage of the product and the test that must catch it. Applied to a copy of the sources, never to the product. */
export interface Mutant {
  readonly name: string
  /** Source file, from the repository's root. */
  readonly file: string
  /** Exact text, found once in the file. */
  readonly find: string
  readonly replace: string
  /** Test file, from the repository's root, that fails with the breakage in place. */
  readonly test: string
}
