/** Stores of a certain size, written as they lie on the disk: adding so many images one by one would take minutes. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Store } from '../src/index.js'

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** A store of driver packed with images of some layers each, none shared; the content of a layer is one byte, and no layer file. */
export async function storeOfMany(root: string, images: number, layersEach: number): Promise<void> {
  await (await Store.open(root, { durability: 'none' })).close()
  const image = join(root, 'image/packed')
  const repositories: Record<string, Record<string, string>> = {}
  for (let n = 0; n < images; n++) {
    const diffs = Array.from({ length: layersEach }, (_, k) => `sha256:${sha256(`${n} ${k}`)}`)
    await writeLayers(root, diffs)
    const created = new Date(Date.UTC(2024, 0, 1) + n * 60_000).toISOString()
    const config = JSON.stringify({
      ...{ architecture: 'amd64', os: 'linux', created },
      config: { Env: ['PATH=/usr/bin:/bin', 'LANG=C'], Cmd: ['/bin/sh'], Labels: { number: `${n}` } },
      history: diffs.map((_, at) => ({ created, created_by: `/bin/sh -c step ${at}` })),
      rootfs: { type: 'layers', diff_ids: diffs },
    })
    const id = sha256(config)
    await writeFile(join(image, 'imagedb/content/sha256', id), config)
    repositories[`app${n}`] = { [`app${n}:v1`]: `sha256:${id}` }
  }
  await writeFile(join(image, 'repositories.json'), JSON.stringify({ Repositories: repositories }))
}

async function writeLayers(root: string, diffs: readonly string[]): Promise<void> {
  let parent: string | undefined
  for (const diff of diffs) {
    const chain: string = parent === undefined ? diff : `sha256:${sha256(`${parent} ${diff}`)}`
    const record = join(root, 'image/packed/layerdb/sha256', chain.slice('sha256:'.length))
    const cacheId = diff.slice('sha256:'.length)
    await mkdir(record)
    await Promise.all([
      writeFile(join(record, 'diff'), diff),
      writeFile(join(record, 'size'), '1000'),
      writeFile(join(record, 'cache-id'), cacheId),
      ...(parent === undefined ? [] : [writeFile(join(record, 'parent'), parent)]),
      writeFile(join(root, 'packed', `${cacheId}.tar.lz4`), 'x'),
    ])
    parent = chain
  }
}

/** Stages of so many processes that died, each with a file. */
export async function addStaleStages(root: string, count: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const owner = sha256(`owner ${n}`).slice(0, 32)
    await writeFile(join(root, 'phyllo/owners', owner), '')
    await mkdir(join(root, 'phyllo/stages', `${owner}.0`))
    await writeFile(join(root, 'phyllo/stages', `${owner}.0/half a layer`), 'half')
  }
}
