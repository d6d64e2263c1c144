/**
 * Words of Dockerfile instructions as Docker's builder reads them: quotes, escapes and variables. No globs, no commands.
 *
 * In double quotes a backslash escapes `"`, `$` and itself alone; in single quotes nothing is special.
 */

export type Variables = ReadonlyMap<string, string>

/** The text that a word stands for, whatever white space is in it. Throws an Error that says what is wrong. */
export function expandWord(word: string, variables: Variables): string {
  return new Expansion(word, variables).run().text
}

/** The words that it stands for: what variables hold is split at white space, unless it is quoted. */
export function expandWords(word: string, variables: Variables): string[] {
  return new Expansion(word, variables).run().words
}

/** Splits at white space outside of quotes; quotes and escapes stay in the words. */
export function rawWords(text: string): string[] {
  const words: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word)
      word = undefined
      continue
    }
    word = (word ?? '') + char
    if (char === '\\' && quote !== "'") word += text[++at] ?? ''
    else if (quote === '' && (char === '"' || char === "'")) quote = char
    else if (char === quote) quote = ''
  }
  if (word !== undefined) words.push(word)
  return words
}

interface Outcome {
  readonly text: string
  readonly words: string[]
}

class Expansion {
  readonly #source: string
  readonly #variables: Variables
  readonly #words: string[] = []
  #at = 0
  #word: string | undefined

  constructor(source: string, variables: Variables) {
    this.#source = source
    this.#variables = variables
  }

  run(): Outcome {
    try {
      const text = this.#until('')
      if (this.#word !== undefined) this.#words.push(this.#word)
      return { text, words: this.#words }
    } catch (error) {
      throw new Error(`failed to process ${JSON.stringify(this.#source)}: ${(error as Error).message}`)
    }
  }

  /** Up to a character, or the end; the character is taken, too. */
  #until(stop: string): string {
    let text = ''
    while (this.#at < this.#source.length) {
      const char = this.#source[this.#at]!
      if (char === stop) {
        this.#at++
        return text
      }
      if (char === "'") text += this.#quoted(this.#single())
      else if (char === '"') text += this.#quoted(this.#double())
      else if (char === '$') text += this.#bare(this.#dollar())
      else {
        this.#at++
        if (char !== '\\') text += this.#bare(char)
        else if (this.#at < this.#source.length) text += this.#quoted(this.#source[this.#at++]!)
      }
    }
    if (stop !== '') throw new Error(`syntax error: missing '${stop}'`)
    return text
  }

  #quoted(text: string): string {
    this.#word = (this.#word ?? '') + text
    return text
  }

  #bare(text: string): string {
    for (const char of text) {
      if (!/\s/.test(char)) this.#word = (this.#word ?? '') + char
      else if (this.#word !== undefined) {
        this.#words.push(this.#word)
        this.#word = undefined
      }
    }
    return text
  }

  #single(): string {
    const end = this.#source.indexOf("'", this.#at + 1)
    if (end < 0) throw new Error('unexpected end of statement while looking for matching single-quote')
    const text = this.#source.slice(this.#at + 1, end)
    this.#at = end + 1
    return text
  }

  #double(): string {
    let text = ''
    for (this.#at++; this.#at < this.#source.length; ) {
      const char = this.#source[this.#at]!
      if (char === '$') {
        text += this.#dollar()
        continue
      }
      this.#at++
      if (char === '"') return text
      const next = this.#source[this.#at]
      if (char === '\\' && (next === '"' || next === '$' || next === '\\')) {
        text += next
        this.#at++
      } else text += char
    }
    throw new Error('unexpected end of statement while looking for matching double-quote')
  }

  #dollar(): string {
    this.#at++
    if (this.#source[this.#at] !== '{') {
      const name = this.#name()
      return name === '' ? '$' : (this.#variables.get(name) ?? '')
    }
    this.#at++
    if (this.#at >= this.#source.length) throw new Error("syntax error: missing '}'")
    const name = this.#name()
    if (name === '') throw new Error('syntax error: bad substitution')
    return this.#modified(name)
  }

  /** What follows the name in `${name…}`. */
  #modified(name: string): string {
    const value = this.#variables.get(name)
    let modifier = this.#source[this.#at++]
    if (modifier === '}') return value ?? ''
    const colon = modifier === ':'
    if (colon) modifier = this.#source[this.#at++]
    if (modifier === undefined) throw new Error("syntax error: missing '}'")
    if (!'+-?'.includes(modifier)) throw new Error(`unsupported modifier (${modifier}) in substitution`)
    const word = this.#wordInBraces()
    const counts = value !== undefined && !(colon && value === '')
    if (modifier === '+') return counts ? word : ''
    if (counts) return value
    if (modifier === '-') return word
    throw new Error(`${name}: ${word || (colon ? 'is not allowed to be empty' : 'is not allowed to be unset')}`)
  }

  /** It is a part of the value, and of a word only as the value is. */
  #wordInBraces(): string {
    const [word, count] = [this.#word, this.#words.length]
    const text = this.#until('}')
    this.#word = word
    this.#words.length = count
    return text
  }

  #name(): string {
    const name = /^(?:[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])/.exec(this.#source.slice(this.#at))?.[0] ?? ''
    this.#at += name.length
    return name
  }
}
