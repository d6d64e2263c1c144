/** A root of driver overlay2 from outside: what a dockerd and we must write alike, ids that are drawn at random apart. */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

/** Mode, name and text of every metadata file of the root; names drawn at random are written as those of the layer they belong to. */
export function metadataOf(root: string): string[] {
  const names = randomNames(root)
  const lines: string[] = []
  const visit = (path: string, shown: string) => {
    const stats = statSync(path)
    const mode = (stats.mode & 0o7777).toString(8)
    if (stats.isFile()) return void lines.push(`${mode} ${shown} ${told(textOf(path), names)}`)
    lines.push(`${mode} ${shown}/`)
    for (const name of readdirSync(path).sort()) visit(join(path, name), `${shown}/${name}`)
  }
  for (const part of ['repositories.json', 'imagedb', 'layerdb/sha256']) visit(join(root, 'image/overlay2', part), part)
  for (const [directory, name] of names) {
    const path = join(root, 'overlay2', directory)
    if (/^[0-9a-f]{64}$/.test(directory)) {
      lines.push(`${(statSync(path).mode & 0o7777).toString(8)} ${name}/`)
      for (const file of readdirSync(path).sort()) lines.push(describe(join(path, file), `${name}/${file}`, names))
    } else lines.push(`l/${name} -> ${told(readlinkSync(join(root, 'overlay2/l', directory)), names)}`)
  }
  return lines.sort()
}

/** cache-ids and links, with the chain that each is of. */
function randomNames(root: string): Map<string, string> {
  const names = new Map<string, string>()
  const layers = join(root, 'image/overlay2/layerdb/sha256')
  for (const chain of readdirSync(layers)) {
    const cacheId = readFileSync(join(layers, chain, 'cache-id'), 'utf8')
    names.set(cacheId, `content of ${chain}`)
    names.set(readFileSync(join(root, 'overlay2', cacheId, 'link'), 'utf8'), `link of ${chain}`)
  }
  return names
}

function describe(path: string, shown: string, names: ReadonlyMap<string, string>): string {
  const stats = statSync(path)
  const mode = (stats.mode & 0o7777).toString(8)
  const text = stats.isFile() ? ` ${told(readFileSync(path, 'utf8'), names)}` : '/'
  return `${mode} ${shown} ${stats.uid}:${stats.gid}${text}`
}

/** Docker ends tar-split with a segment of nothing when a layer has no padding left; that says nothing. */
function textOf(path: string): string {
  if (!path.endsWith('.gz')) return readFileSync(path, 'utf8')
  return gunzipSync(readFileSync(path))
    .toString('utf8')
    .replace(/\{"type":2,"payload":"","position":\d+\}\n$/, '')
}

function told(text: string, names: ReadonlyMap<string, string>): string {
  return text.replace(/[0-9a-f]{64}|[A-Z2-7]{26}/g, found => names.get(found) ?? found)
}

/** What is left of images and layers. */
export function remains(root: string): string[] {
  const image = join(root, 'image/overlay2')
  const list = (path: string) => readdirSync(path).map(name => join(path, name))
  const left = [join(image, 'layerdb/sha256'), join(image, 'imagedb/content/sha256'), join(root, 'overlay2/l')].flatMap(
    list,
  )
  left.push(...list(join(root, 'overlay2')).filter(path => !path.endsWith('/l')))
  const references = readFileSync(join(image, 'repositories.json'), 'utf8')
  return references === '{"Repositories":{}}' ? left : [...left, references]
}
