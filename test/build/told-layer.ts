/** All that a layer tells, a line for each name. */
import { createHash } from 'node:crypto'
import { type Layer, WHITEOUT } from '../../src/drivers/layer.js'

export function toldLayer(layer: Layer): string[] {
  const lines: string[] = []
  const first = new Map<number, string>()
  const visit = (dir: number, at: string) =>
    layer.list(dir, (name, inode) => {
      const path = `${at}/${name}`
      if (layer.lookup(dir, name) !== inode) throw new Error(`${path} is listed and not found`)
      if (inode === WHITEOUT) return void lines.push(`${path} whiteout`)
      if (!first.has(inode)) first.set(inode, path)
      const { implied: _, ...attributes } = layer.inode(inode)
      const xattrs = layer.xattrs(inode).map(({ name, value }) => [name, value.toString('latin1')])
      const more = [layer.mode(inode), layer.opaque(inode), layer.readlink(inode), first.get(inode), xattrs.sort()]
      lines.push(`${path} ${JSON.stringify([attributes, more])} ${contentOf(layer, inode)}`)
      visit(inode, path)
    })
  visit(0, '')
  return lines
}

/** In pieces of odd lengths. */
function contentOf(layer: Layer, inode: number): string {
  const { mode, sizeBytes } = layer.inode(inode)
  if ((mode & 0o170000) !== 0o100000) return ''
  const hash = createHash('sha256')
  const into = Buffer.alloc(7001)
  for (let at = 0, count = -1; count !== 0; at += count) {
    count = layer.readSync(inode, at, into)
    hash.update(into.subarray(0, count))
  }
  const whole = layer.contentSync?.(inode, sizeBytes)
  const digest = hash.digest('hex')
  if (whole !== undefined && createHash('sha256').update(whole).digest('hex') !== digest)
    throw new Error(`the content of inode ${inode} is not what it is in pieces`)
  return digest
}
