/**
 * The rules of a layer's tree, applied to plain objects in the plainest way: what the real tree is compared with.
 * Written from the decisions, not from the code: marks are kept beside the nodes and settled by looking at everything.
 */

export interface Step {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'whiteout' | 'opaque' | 'null-device'
  readonly path: readonly string[]
  readonly target: string
  readonly content: string
}

interface Slot {
  node?: Node
  whiteout?: boolean
  opaque?: boolean
}

interface Node {
  readonly type: 'file' | 'directory' | 'symlink'
  readonly content: string
  readonly slots: Map<string, Slot>
  described: boolean
}

export class Refused extends Error {}

const newDirectory = (described: boolean): Node => ({ type: 'directory', content: '', slots: new Map(), described })

export class TreeModel {
  readonly #root = newDirectory(true)

  apply({ type, path, target, content }: Step): void {
    if (path.length === 0) {
      if (type === 'opaque' || type === 'directory') return
      throw new Refused('root')
    }
    if (type === 'opaque') {
      const slot = this.#slotOfDirectory(path)
      if (slot !== undefined) slot.opaque = true
      return
    }
    const parent = this.#walk(path.slice(0, -1), true)!.at(-1)!
    const slot = slotIn(parent.node, path.at(-1)!)
    if (type === 'whiteout' || type === 'null-device') slot.whiteout = true
    else if (type === 'directory') {
      if (slot.node?.type === 'directory') slot.node.described = true
      else slot.node = newDirectory(true)
    } else if (type === 'hardlink') {
      delete slot.node
      slot.node = this.#linked(target)
    } else slot.node = { type, content: type === 'file' ? content : target, slots: new Map(), described: true }
  }

  lines(): string[] {
    const names = new Map<Node, number>()
    const count = (dir: Node): void => {
      for (const slot of dir.slots.values()) {
        if (slot.node === undefined || isGone(slot)) continue
        names.set(slot.node, (names.get(slot.node) ?? 0) + 1)
        if (slot.node.type === 'directory') count(slot.node)
      }
    }
    count(this.#root)
    const lines: string[] = []
    const show = (dir: Node, prefix: string): void => {
      for (const [name, slot] of [...dir.slots].sort(([a], [b]) => (a < b ? -1 : 1))) {
        const { node } = slot
        if (node === undefined || isGone(slot)) {
          if (slot.whiteout) lines.push(`${prefix}${name} whiteout`)
          continue
        }
        const links = names.get(node)! > 1 ? [`×${names.get(node)}`] : []
        const directory = node.type === 'directory'
        const opaque = directory && (slot.whiteout || slot.opaque) ? ['opaque'] : []
        const implied = directory && !node.described ? ['implied'] : []
        const shown = { file: [node.content], symlink: [`→${node.content}`], directory: [] }[node.type]
        const words = [
          { file: 'f', symlink: 'l', directory: 'd' }[node.type],
          ...shown,
          ...links,
          ...opaque,
          ...implied,
        ]
        lines.push(`${prefix}${name} ${words.filter(word => word !== '').join(' ')}`)
        show(node, `${prefix}${name}/`)
      }
    }
    show(this.#root, '')
    return lines
  }

  #linked(target: string): Node {
    const path: string[] = []
    for (const part of target.split('/')) {
      if (part === '' || part === '.') continue
      if (part !== '..') path.push(part)
      else if (path.pop() === undefined) throw new Refused('climbs')
    }
    const parent = path.length === 0 ? undefined : this.#walk(path.slice(0, -1), false)?.at(-1)
    const node = parent?.node.slots.get(path.at(-1)!)?.node
    if (node === undefined || node.type === 'directory') throw new Refused('no target')
    return node
  }

  #slotOfDirectory(path: readonly string[]): Slot | undefined {
    return this.#walk(path, true)!.at(-1)!.slot
  }

  /** The way from the root to a directory, symlinks followed. */
  #walk(path: readonly string[], make: boolean): { node: Node; slot?: Slot }[] | undefined {
    let todo = [...path]
    let way: { node: Node; slot?: Slot }[] = [{ node: this.#root }]
    let hops = 0
    while (todo.length > 0) {
      const part = todo.shift()!
      if (part === '' || part === '.') continue
      if (part === '..') {
        if (way.length > 1) way.pop()
        continue
      }
      const here = way.at(-1)!.node
      if (!make && here.slots.get(part)?.node === undefined) return undefined
      const slot = slotIn(here, part)
      slot.node ??= newDirectory(false)
      if (slot.node.type === 'file') throw new Refused('a file on the way')
      if (slot.node.type === 'symlink') {
        if (++hops > 40 || slot.node.content === '') throw new Refused('symlinks')
        if (slot.node.content.startsWith('/')) way = [{ node: this.#root }]
        todo = [...slot.node.content.split('/'), ...todo]
      } else way.push({ node: slot.node, slot })
    }
    return way
  }
}

function slotIn(dir: Node, name: string): Slot {
  const slot = dir.slots.get(name) ?? {}
  dir.slots.set(name, slot)
  return slot
}

/** A directory with a whiteout on it is there only if the tar describes it or something below it. */
function isGone({ node, whiteout }: Slot): boolean {
  return whiteout === true && node?.type === 'directory' && !holdsEntry(node)
}

function holdsEntry(node: Node): boolean {
  if (node.described) return true
  return [...node.slots.values()].some(slot => slot.node !== undefined && holdsEntry(slot.node))
}
