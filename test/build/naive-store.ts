/**
 * A store judged from outside: by Docker's layout, sha256, lz4(1) and tar-split's lines, and by nothing of ours.
 *
 * Whatever can be seen has to be whole, at any moment. A store at rest, which nobody has open and which was collected, holds nothing
 * else: no leftovers and nothing that no tag, image or container needs.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'

export type NaiveDriver = 'packed' | 'overlay2'

export interface Judgement {
  /** What is wrong, a line each. */
  readonly findings: readonly string[]
  /** Familiar reference → image id. */
  readonly tags: ReadonlyMap<string, string>
  readonly images: ReadonlySet<string>
  /** Names of containers. */
  readonly containers: ReadonlySet<string>
}

const sha256 = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** Of layer files and of directories that were read before: what their tar hashes to. Reading is slow. */
const known = new Map<string, string>()

export function judge(root: string, { atRest = false }: { readonly atRest?: boolean } = {}): Judgement {
  const store = new NaiveStore(root, driverOf(root))
  store.layers()
  store.images()
  store.containers()
  if (atRest) store.rest()
  const { findings, tags, imageIds, names } = store
  return { findings, tags, images: imageIds, containers: names }
}

/** Familiar reference → image id. */
export function tagsOf(root: string): Map<string, string> {
  const repositories = text(join(root, 'image', driverOf(root), 'repositories.json'))
  if (repositories === undefined) return new Map()
  const parsed = JSON.parse(repositories) as { Repositories: Record<string, Record<string, string>> }
  return new Map(Object.values(parsed.Repositories).flatMap(keys => Object.entries(keys)))
}

function driverOf(root: string): NaiveDriver {
  return existsSync(join(root, 'overlay2')) ? 'overlay2' : 'packed'
}

interface Layer {
  readonly diffId: string
  readonly parent: string | undefined
  readonly cacheId: string
}

class NaiveStore {
  readonly findings: string[] = []
  readonly tags = new Map<string, string>()
  readonly imageIds = new Set<string>()
  readonly names = new Set<string>()
  readonly #root: string
  readonly #driver: NaiveDriver
  readonly #layers = new Map<string, Layer>()
  /** Chains and directories that something needs. */
  readonly #used = new Set<string>()
  readonly #mounts = new Map<string, string>()

  constructor(root: string, driver: NaiveDriver) {
    this.#root = root
    this.#driver = driver
  }

  layers(): void {
    const dir = this.#image('layerdb/sha256')
    for (const name of list(dir)) {
      const read = (file: string) => text(join(dir, name, file))?.trim()
      const [diffId, parent, cacheId, size] = [read('diff'), read('parent'), read('cache-id'), read('size')]
      const layer = { diffId: diffId ?? '', parent, cacheId: cacheId ?? '' }
      const chain = parent === undefined ? layer.diffId : sha256(`${parent} ${layer.diffId}`)
      if (chain !== `sha256:${name}`) this.#wrong(`layer ${name} does not hash to its name`)
      else if (!/^\d+$/.test(size ?? '')) this.#wrong(`layer ${name} has the size ${size}`)
      else this.#layers.set(chain, layer)
      this.#content(name, layer)
    }
    for (const [chain, { parent }] of this.#layers)
      if (parent !== undefined && !this.#layers.has(parent)) this.#wrong(`layer ${chain} stands on nothing`)
  }

  images(): void {
    const dir = this.#image('imagedb/content/sha256')
    for (const name of list(dir)) {
      const bytes = readFileSync(join(dir, name))
      if (sha256(bytes) !== `sha256:${name}`) this.#wrong(`image ${name} does not hash to its name`)
      else this.#image1(`sha256:${name}`, JSON.parse(bytes.toString()))
    }
    for (const [key, id] of tagsOf(this.#root)) {
      this.tags.set(key, id)
      if (!this.imageIds.has(id)) this.#wrong(`${key} names ${id}, which is not there`)
    }
  }

  containers(): void {
    const dir = join(this.#root, 'phyllo/containers')
    for (const file of list(dir)) {
      const record = JSON.parse(readFileSync(join(dir, file), 'utf8')) as Record<string, string>
      const { id, name, mountId, chainId } = record as { id: string; name: string; mountId: string; chainId?: string }
      this.names.add(name)
      this.#mounts.set(id, mountId)
      if (!existsSync(this.#upper(mountId))) this.#wrong(`container ${name} has lost what it changed`)
      if (text(this.#image(`layerdb/mounts/${id}/mount-id`)) !== mountId) this.#wrong(`container ${name} has no mount`)
      if (chainId !== undefined) this.#use(chainId, `container ${name}`)
    }
  }

  /** Nothing but what the above has found. */
  rest(): void {
    const only = (directory: string, expected: (name: string) => boolean) => {
      for (const name of list(join(this.#root, directory)))
        if (!expected(name)) this.#wrong(`${directory}/${name} belongs to nobody`)
    }
    for (const directory of ['stages', 'trash', 'limbo', 'owners', 'intents']) only(`phyllo/${directory}`, () => false)
    only(`image/${this.#driver}/layerdb/sha256`, name => this.#used.has(`sha256:${name}`))
    only(`image/${this.#driver}/layerdb/mounts`, name => this.#mounts.has(name))
    only(`image/${this.#driver}/imagedb/metadata/sha256`, name => this.imageIds.has(`sha256:${name}`))
    const contents = new Set([...this.#layers.values()].map(({ cacheId }) => cacheId))
    const uppers = new Set(this.#mounts.values())
    if (this.#driver === 'packed') {
      only('packed', name => name === 'containers' || contents.has(name.replace(/\.tar\.lz4$/, '')))
      only('packed/containers', name => uppers.has(name))
    } else {
      only('overlay2', name => name === 'l' || contents.has(name) || uppers.has(name))
      const links = new Set([...contents, ...uppers].map(id => text(join(this.#root, 'overlay2', id, 'link'))))
      only('overlay2/l', name => links.has(name))
    }
  }

  #image1(id: string, config: { readonly rootfs: { readonly diff_ids?: readonly string[] | null } }): void {
    this.imageIds.add(id)
    let chain: string | undefined
    for (const diffId of config.rootfs.diff_ids ?? []) {
      chain = chain === undefined ? diffId : sha256(`${chain} ${diffId}`)
      if (this.#layers.get(chain)?.diffId !== diffId) this.#wrong(`image ${id} lacks layer ${chain}`)
      this.#used.add(chain)
    }
  }

  #use(chain: string, whose: string): void {
    for (let at: string | undefined = chain; at !== undefined; at = this.#layers.get(at)?.parent) {
      if (!this.#layers.has(at)) this.#wrong(`${whose} lacks layer ${at}`)
      this.#used.add(at)
    }
  }

  #content(name: string, { diffId, cacheId, parent }: Layer): void {
    try {
      const actual = this.#driver === 'packed' ? this.#packed(cacheId) : this.#directory(name, cacheId, parent)
      if (actual !== diffId) this.#wrong(`the content of layer ${name} hashes to ${actual}, not to ${diffId}`)
    } catch (error) {
      this.#wrong(`the content of layer ${name} cannot be read: ${(error as Error).message}`)
    }
  }

  #packed(cacheId: string): string {
    const file = join(this.#root, 'packed', `${cacheId}.tar.lz4`)
    return remembered(sha256(readFileSync(file)), () =>
      sha256(execFileSync('lz4', ['-dc', file], { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'pipe'] })),
    )
  }

  /** What moby's driver asks for, then the tar as tar-split tells to put it together. */
  #directory(name: string, cacheId: string, parent: string | undefined): string {
    const dir = join(this.#root, 'overlay2', cacheId)
    const link = readFileSync(join(dir, 'link'), 'utf8')
    const target = readlinkSync(join(this.#root, 'overlay2/l', link))
    if (target !== `../${cacheId}/diff`) throw new Error(`its link leads to ${target}`)
    const below = parent === undefined ? undefined : text(this.#image(`layerdb/sha256/${parent.slice(7)}/cache-id`))
    const lower = text(join(dir, 'lower'))
    const first = lower === undefined ? undefined : readlinkSync(join(this.#root, 'overlay2', lower.split(':')[0]!))
    if (first !== (below === undefined ? undefined : `../${below}/diff`)) throw new Error(`it stands on ${lower}`)
    const split = gunzipSync(readFileSync(this.#image(`layerdb/sha256/${name}/tar-split.json.gz`))).toString()
    const hash = createHash('sha256')
    for (const line of split.trimEnd().split('\n')) {
      const part = JSON.parse(line) as {
        type: number
        name?: string
        name_raw?: string
        size?: number
        payload?: string
      }
      if (part.type === 2) hash.update(Buffer.from(part.payload ?? '', 'base64'))
      else if ((part.size ?? 0) > 0) {
        const path = part.name_raw === undefined ? part.name! : Buffer.from(part.name_raw, 'base64').toString('latin1')
        hash.update(readFileSync(Buffer.from(`${dir}/diff/${path}`, part.name_raw === undefined ? 'utf8' : 'latin1')))
      }
    }
    return `sha256:${hash.digest('hex')}`
  }

  #upper(mountId: string): string {
    return join(this.#root, this.#driver === 'packed' ? 'packed/containers' : 'overlay2', mountId)
  }

  #image(path: string): string {
    return join(this.#root, 'image', this.#driver, path)
  }

  #wrong(finding: string): void {
    this.findings.push(finding)
  }
}

function remembered(key: string, find: () => string): string {
  const found = known.get(key) ?? find()
  known.set(key, found)
  return found
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory).sort() : []
}

function text(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined
}

/** Bytes that a tree takes on the disk, by du(1). */
export function diskBytes(path: string): number {
  return Number.parseInt(execFileSync('du', ['-s', '-B1', path], { encoding: 'utf8' }), 10)
}
