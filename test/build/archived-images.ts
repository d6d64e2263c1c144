/** What a docker-archive says of its images, by GNU tar and its manifest. */
import { execFileSync } from 'node:child_process'
import { basename } from 'node:path'

export interface ArchivedImage {
  /** sha256:… */
  readonly id: string
  /** Its first tag; its id where it has none. */
  readonly name: string
  /** How many. */
  readonly layers: number
}

interface Item {
  readonly Config: string
  readonly RepoTags: readonly string[] | null
  readonly Layers: readonly string[]
}

export function archivedImages(archive: string): ArchivedImage[] {
  const text = execFileSync('tar', ['-xOf', archive, 'manifest.json'], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  return (JSON.parse(text) as Item[]).map(({ Config, RepoTags, Layers }) => {
    const id = `sha256:${basename(Config, '.json')}`
    return { id, name: RepoTags?.[0] ?? id, layers: Layers.length }
  })
}
