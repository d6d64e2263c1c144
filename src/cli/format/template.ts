/**
 * The part of Go's text/template that users of Docker write in `--format` and `inspect -f`: fields, range, if, with,
 * else, variables, pipes, literals, trim markers, and the functions of template-functions.ts. Values: go-value.ts.
 */
import { GoNil, GoStruct, isMap, isNil, isTrue, mapValue, printValue, sortedEntries, typeName } from './go-value.js'
import { TemplateError } from './template-error.js'
import { type TemplateFunction, templateFunctions } from './template-functions.js'
import { type Node, type Operand, type Pipe, parse } from './template-parser.js'

export interface TemplateOptions {
  readonly functions?: ReadonlyMap<string, TemplateFunction>
  /** A key that a map lacks: `<no value>`, which is Go's default, or an error. */
  readonly missingKey?: 'no value' | 'error'
}

export interface Template {
  /** Throws TemplateError where the data does not have what the template asks for. */
  execute(data: unknown): string
}

/** Throws TemplateError for a template that is wrong, UnsupportedTemplate (COMMAND_UNSUPPORTED) for what only Go's own engine has. */
export function parseTemplate(text: string, options: TemplateOptions = {}): Template {
  const functions = options.functions ?? templateFunctions
  const nodes = parse(text, new Set(functions.keys()))
  return {
    execute(data) {
      const run = new Run(functions, options.missingKey ?? 'no value', data)
      run.list(nodes, data)
      return run.output
    },
  }
}

type Flow = 'break' | 'continue' | undefined

class Run {
  output = ''
  readonly #functions: ReadonlyMap<string, TemplateFunction>
  readonly #missingKey: 'no value' | 'error'
  readonly #variables: { readonly name: string; value: unknown }[]

  constructor(functions: ReadonlyMap<string, TemplateFunction>, missingKey: 'no value' | 'error', data: unknown) {
    this.#functions = functions
    this.#missingKey = missingKey
    this.#variables = [{ name: '$', value: data }]
  }

  /** Variables declared in the list end with it. */
  list(nodes: readonly Node[], dot: unknown): Flow {
    const variables = this.#variables.length
    let flow: Flow
    for (const node of nodes) {
      flow = this.#node(node, dot)
      if (flow !== undefined) break
    }
    this.#variables.length = variables
    return flow
  }

  #node(node: Node, dot: unknown): Flow {
    if (node.type === 'text') {
      this.output += node.text
      return undefined
    }
    if (node.type === 'action') {
      const value = this.#pipe(node.pipe, dot)
      this.#declare(node.pipe, value)
      if (node.pipe.variables.length === 0) this.output += isAbsent(value) ? '<no value>' : printValue(value)
      return undefined
    }
    if (node.type === 'break' || node.type === 'continue') return node.type
    const variables = this.#variables.length
    const flow = node.type === 'range' ? this.#range(node, dot) : this.#choose(node, dot)
    this.#variables.length = variables
    return flow
  }

  #choose({ type, pipe, body, otherwise }: Extract<Node, { pipe: Pipe; body: unknown }>, dot: unknown): Flow {
    const value = this.#pipe(pipe, dot)
    this.#declare(pipe, value)
    return isTrue(value) ? this.list(body, type === 'with' ? value : dot) : this.list(otherwise, dot)
  }

  #range({ pipe, body, otherwise }: Extract<Node, { pipe: Pipe; body: unknown }>, dot: unknown): Flow {
    const entries = entriesOf(this.#pipe(pipe, dot))
    if (entries.length === 0) return this.list(otherwise, dot)
    const variables = this.#variables.length
    for (const [key, element] of entries) {
      const values = pipe.variables.length === 2 ? [key, element] : [element]
      for (const [index, name] of pipe.variables.entries()) this.#set(name, values[index], pipe.assigns)
      const flow = this.list(body, element)
      this.#variables.length = variables
      if (flow === 'break') break
    }
    return undefined
  }

  #declare({ variables: [name], assigns }: Pipe, value: unknown): void {
    if (name !== undefined) this.#set(name, value, assigns)
  }

  #set(name: string, value: unknown, assigns: boolean): void {
    const known = assigns ? this.#variables.findLast(variable => variable.name === name) : undefined
    if (known === undefined) this.#variables.push({ name, value })
    else known.value = value
  }

  #pipe({ commands }: Pipe, dot: unknown): unknown {
    let value: unknown
    for (const [stage, command] of commands.entries()) {
      value = this.#command(command, dot, stage === 0 ? [] : [value])
    }
    return value
  }

  #command([first, ...args]: readonly Operand[], dot: unknown, piped: readonly unknown[]): unknown {
    if (first === undefined) throw new TemplateError('empty command')
    if (first.kind === 'call') return this.#follow(this.#call(first.name, args, dot, piped), first.path)
    if (args.length + piped.length > 0) throw new TemplateError(`can't give argument to non-function ${nameOf(first)}`)
    if (first.kind === 'literal' && first.value === null) throw new TemplateError('nil is not a command')
    return this.#operand(first, dot)
  }

  #call(name: string, operands: readonly Operand[], dot: unknown, piped: readonly unknown[]): unknown {
    const { least, most, call } = this.#functions.get(name)!
    const count = operands.length + piped.length
    if (count < least || count > (most ?? count)) {
      const want = least === most ? least : `at least ${least}`
      throw new TemplateError(`wrong number of args for ${name}: want ${want} got ${count}`)
    }
    const args: unknown[] = []
    for (const operand of operands) {
      const value = this.#operand(operand, dot)
      if ((name === 'and' && !isTrue(value)) || (name === 'or' && isTrue(value))) return value
      args.push(value)
    }
    return call(...args, ...piped)
  }

  #operand(operand: Operand, dot: unknown): unknown {
    if (operand.kind === 'dot') return dot
    if (operand.kind === 'field') return this.#follow(dot, operand.path)
    if (operand.kind === 'literal') return this.#follow(operand.value, operand.path)
    if (operand.kind === 'pipe') return this.#follow(this.#pipe(operand.pipe, dot), operand.path)
    if (operand.kind === 'call') return this.#follow(this.#call(operand.name, [], dot, []), operand.path)
    const variable = this.#variables.findLast(({ name }) => name === operand.name)
    return this.#follow(variable?.value, operand.path)
  }

  #follow(start: unknown, path: readonly string[]): unknown {
    let value = start
    for (const name of path) value = this.#field(value, name)
    return value
  }

  #field(value: unknown, name: string): unknown {
    if (value instanceof GoStruct) {
      if (Object.hasOwn(value.fields, name)) return value.fields[name]
      throw new TemplateError(`can't evaluate field ${name} in type ${typeName(value)}`)
    }
    if (isMap(value)) {
      const found = mapValue(value, name)
      if (found !== undefined) return found.value
    } else if (value instanceof GoNil && value.type === 'pointer') {
      throw new TemplateError(`nil pointer evaluating ${name}`)
    } else if (!isNil(value)) {
      throw new TemplateError(`can't evaluate field ${name} in type ${typeName(value)}`)
    }
    if (this.#missingKey === 'error') throw new TemplateError(`map has no entry for key "${name}"`)
    return undefined
  }
}

function isAbsent(value: unknown): boolean {
  return value === undefined || value === null
}

function entriesOf(value: unknown): [unknown, unknown][] {
  if (isNil(value)) return []
  if (Array.isArray(value)) return [...value.entries()]
  if (isMap(value)) return sortedEntries(value)
  throw new TemplateError(`range can't iterate over ${printValue(value)}`)
}

function nameOf(operand: Operand): string {
  if (operand.kind === 'field') return `.${operand.path.join('.')}`
  if (operand.kind === 'variable') return [operand.name, ...operand.path].join('.')
  return operand.kind === 'literal' ? JSON.stringify(operand.value) : operand.kind
}
