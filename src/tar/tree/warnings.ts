/** What a layer does that is legal and odd, in words; a bounded list, because a hostile layer is odd a million times. */
const mostWarnings = 100

export class Warnings {
  readonly #texts: string[] = []
  #more = 0

  add(text: string): void {
    if (this.#texts.length < mostWarnings) this.#texts.push(text)
    else this.#more++
  }

  list(): string[] {
    return this.#more === 0 ? [...this.#texts] : [...this.#texts, `and ${this.#more} more warnings`]
  }
}
