/** Go templates as a tree. Variables and functions are checked here, as Go does, so that a typo shows without data. */
import { TemplateError, UnsupportedTemplate } from './template-error.js'
import { lex, type Segment, type Token } from './template-lexer.js'

export type Operand =
  | { readonly kind: 'dot' }
  | { readonly kind: 'literal'; readonly value: unknown; readonly path: readonly string[] }
  | { readonly kind: 'field'; readonly path: readonly string[] }
  | { readonly kind: 'variable'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'call'; readonly name: string; readonly path: readonly string[] }
  | { readonly kind: 'pipe'; readonly pipe: Pipe; readonly path: readonly string[] }

export interface Pipe {
  /** Variables that take the value; two of them only in a range. */
  readonly variables: readonly string[]
  /** `=` instead of `:=`. */
  readonly assigns: boolean
  /** Each a function or value with its arguments; the result of one is the last argument of the next. */
  readonly commands: readonly (readonly Operand[])[]
}

export type Node =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'action'; readonly pipe: Pipe }
  | {
      readonly type: 'if' | 'with' | 'range'
      readonly pipe: Pipe
      readonly body: readonly Node[]
      readonly otherwise: readonly Node[]
    }
  | { readonly type: 'break' }
  | { readonly type: 'continue' }

const unsupportedKeywords = new Set(['define', 'template', 'block'])
const unsupportedFunctions = new Set(['call', 'html', 'js', 'urlquery'])

/** Throws TemplateError for what Go refuses, UnsupportedTemplate for what only Go takes. */
export function parse(template: string, functions: ReadonlySet<string>): readonly Node[] {
  const parser = new Parser(lex(template), functions)
  const nodes = parser.list(0)
  if (parser.ending !== undefined) throw new TemplateError(`unexpected {{${parser.ending}}}`)
  return nodes
}

class Parser {
  /** What ended the last list: `end`, `else`, or undefined for the end of the template. */
  ending: 'end' | 'else' | undefined
  readonly #segments: readonly Segment[]
  readonly #functions: ReadonlySet<string>
  readonly #variables = ['$']
  #next = 0
  #tokens: readonly Token[] = []
  #at = 0

  constructor(segments: readonly Segment[], functions: ReadonlySet<string>) {
    this.#segments = segments
    this.#functions = functions
  }

  /** Nodes up to `end`, `else` or the end of the template. Variables declared in it end with it. */
  list(loops: number): Node[] {
    const nodes: Node[] = []
    const variables = this.#variables.length
    this.ending = undefined
    while (this.#next < this.#segments.length) {
      const segment = this.#segments[this.#next++]!
      if ('text' in segment) {
        if (segment.text !== '') nodes.push({ type: 'text', text: segment.text })
        continue
      }
      this.#tokens = segment.tokens
      this.#at = 0
      const keyword = this.#peek()?.kind === 'identifier' ? this.#peek()!.text : ''
      if (keyword === 'end' || keyword === 'else') {
        this.#at += 1
        if (keyword === 'end') this.#expectEnd('end')
        this.ending = keyword
        break
      }
      nodes.push(this.#action(keyword, loops))
    }
    this.#variables.length = variables
    return nodes
  }

  #action(keyword: string, loops: number): Node {
    if (unsupportedKeywords.has(keyword)) throw new UnsupportedTemplate(`{{${keyword}}}`)
    if (keyword === 'if' || keyword === 'with' || keyword === 'range') {
      this.#at += 1
      return this.#control(keyword, loops)
    }
    if (keyword === 'break' || keyword === 'continue') {
      if (loops === 0) throw new TemplateError(`{{${keyword}}} outside {{range}}`)
      this.#at += 1
      this.#expectEnd(keyword)
      return { type: keyword }
    }
    const pipe = this.#pipe('command')
    this.#expectEnd('command')
    return { type: 'action', pipe }
  }

  #control(type: 'if' | 'with' | 'range', loops: number): Node {
    const variables = this.#variables.length
    const pipe = this.#pipe(type)
    this.#expectEnd(type)
    const inner = type === 'range' ? loops + 1 : loops
    const body = this.list(inner)
    let otherwise: readonly Node[] = []
    if (this.ending === 'else') {
      const chained = this.#peek()
      if (chained === undefined) {
        otherwise = this.list(loops)
        if (this.ending === 'else') throw new TemplateError('expected end; found {{else}}')
      } else if (chained.text === 'if' && type === 'if') {
        // The chained if takes the {{end}} of this one.
        this.#at += 1
        otherwise = [this.#control('if', loops)]
        this.ending = 'end'
      } else {
        throw new TemplateError(`unexpected ${chained.text} in else`)
      }
    }
    if (this.ending === undefined) throw new TemplateError('unexpected EOF')
    this.ending = undefined
    this.#variables.length = variables
    return { type, pipe, body, otherwise }
  }

  #pipe(context: 'command' | 'if' | 'with' | 'range' | 'parenthesis'): Pipe {
    const { variables, assigns } = this.#declaration(context === 'range')
    const commands: Operand[][] = []
    do {
      const command = this.#command()
      if (command.length === 0) throw new TemplateError(`missing value for ${context}`)
      const [first] = command
      if (commands.length > 0 && first!.kind !== 'call' && command.length === 1) {
        throw new TemplateError(`non executable command in pipeline stage ${commands.length + 1}`)
      }
      commands.push(command)
    } while (this.#take('|'))
    if (!assigns) this.#variables.push(...variables)
    return { variables, assigns, commands }
  }

  #declaration(isRange: boolean): Pick<Pipe, 'variables' | 'assigns'> {
    const start = this.#at
    const variables: string[] = []
    while (this.#peek()?.kind === 'variable') {
      variables.push(this.#tokens[this.#at++]!.text)
      const symbol = this.#peek()
      if (symbol?.kind === 'symbol' && (symbol.text === ':=' || symbol.text === '=')) {
        this.#at += 1
        if (symbol.text === '=') for (const name of variables) this.#known(name)
        if (variables.length > (isRange ? 2 : 1)) throw new TemplateError('too many declarations')
        return { variables, assigns: symbol.text === '=' }
      }
      if (!isRange || !this.#take(',')) break
    }
    this.#at = start
    return { variables: [], assigns: false }
  }

  #command(): Operand[] {
    const operands: Operand[] = []
    for (;;) {
      const token = this.#peek()
      if (token === undefined || (token.kind === 'symbol' && token.text !== '(')) return operands
      if (operands.length > 0 && !token.spaced) throw new TemplateError(`unexpected <${shown(token)}> in operand`)
      operands.push(this.#operand())
    }
  }

  #operand(): Operand {
    const token = this.#tokens[this.#at++]!
    if (token.kind === 'dot') {
      if (this.#peek()?.spaced === false && this.#peek()!.kind !== 'symbol') {
        throw new TemplateError(`unexpected <.> in operand`)
      }
      return { kind: 'dot' }
    }
    if (token.kind === 'field') return { kind: 'field', path: [token.text, ...this.#path()] }
    if (token.kind === 'variable') return { kind: 'variable', name: this.#known(token.text), path: this.#path() }
    if (token.kind === 'string') return { kind: 'literal', value: token.text, path: this.#path() }
    if (token.kind === 'number') return { kind: 'literal', value: numberOf(token.text), path: [] }
    if (token.kind === 'symbol') return { kind: 'pipe', pipe: this.#parenthesis(), path: this.#path() }
    if (token.text === 'true' || token.text === 'false')
      return { kind: 'literal', value: token.text === 'true', path: [] }
    if (token.text === 'nil') return { kind: 'literal', value: null, path: [] }
    if (unsupportedFunctions.has(token.text)) throw new UnsupportedTemplate(`function "${token.text}"`)
    if (!this.#functions.has(token.text)) throw new TemplateError(`function "${token.text}" not defined`)
    return { kind: 'call', name: token.text, path: this.#path() }
  }

  #parenthesis(): Pipe {
    const pipe = this.#pipe('parenthesis')
    if (!this.#take(')')) throw new TemplateError('unclosed left paren')
    return pipe
  }

  #path(): string[] {
    const path: string[] = []
    for (let token = this.#peek(); token?.kind === 'field' && !token.spaced; token = this.#peek()) {
      path.push(token.text)
      this.#at += 1
    }
    return path
  }

  #known(name: string): string {
    if (!this.#variables.includes(name)) throw new TemplateError(`undefined variable "${name}"`)
    return name
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at]
  }

  #take(symbol: string): boolean {
    const token = this.#peek()
    if (token?.kind !== 'symbol' || token.text !== symbol) return false
    this.#at += 1
    return true
  }

  #expectEnd(context: string): void {
    const token = this.#peek()
    if (token !== undefined) throw new TemplateError(`unexpected <${shown(token)}> in ${context}`)
  }
}

function shown(token: Token): string {
  return token.kind === 'field' ? `.${token.text}` : token.text
}

function numberOf(text: string): number {
  const digits = text.replaceAll('_', '')
  const sign = digits.startsWith('-') ? -1 : 1
  const value = Number(digits.replace(/^[+-]/, ''))
  if (Number.isNaN(value)) throw new TemplateError(`bad number syntax: ${JSON.stringify(text)}`)
  return sign * value
}
