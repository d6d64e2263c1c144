/** Plays the scenes of removal-scenes.ts on a store, through the library. */
import { PhylloError, type Store } from '../../src/index.js'
import { addDigestReference } from './cli.js'
import { imageIdOf } from './image.js'
import { anyContainer, madeImages, type RemovalScene, type SceneStep, sceneDigest, spell } from './removal-scenes.js'

export interface StepResult {
  readonly prints: readonly string[]
  readonly errors: readonly string[]
}

/** Names by digest come from pulls: they are written into the file of references. */
export function addSceneDigests(scene: RemovalScene, repositories: string): void {
  const made = madeImages(scene)
  for (const [repository, key] of scene.digests ?? [])
    addDigestReference(repositories, repository, sceneDigest, imageIdOf(made.get(key)!))
}

/** A step that removes or tags, as the command line would tell it. */
export async function runStep(store: Store, scene: RemovalScene, { run }: SceneStep): Promise<StepResult> {
  const words = run.map(word => spell(scene, word))
  if (words[1] === 'prune') return { prints: await pruneLines(store, words.slice(2)), errors: [] }
  const [command, ...rest] = words[0] === 'image' ? ['rmi', ...words.slice(2)] : words
  if (command === 'tag') {
    await store.tag(rest[0]!, rest[1]!)
    return { prints: [], errors: [] }
  }
  const names = rest.filter(word => !word.startsWith('-'))
  const options = { force: rest.includes('-f') || rest.includes('--force'), prune: !rest.includes('--no-prune') }
  const [prints, errors]: [string[], string[]] = [[], []]
  for (const name of names) {
    try {
      for (const gone of await store.remove(name, options))
        prints.push('untagged' in gone ? `Untagged: ${gone.untagged}` : `Deleted: ${gone.deleted}`)
    } catch (error) {
      if (!(error instanceof PhylloError)) throw error
      errors.push(anyContainer(error.message))
    }
  }
  return { prints, errors }
}

async function pruneLines(store: Store, options: readonly string[]): Promise<string[]> {
  const filters = options.filter((_, at) => options[at - 1] === '--filter')
  const { removed, reclaimedBytes } = await store.prune({ all: options.includes('-a'), filters })
  const gone = removed.map(one => ('untagged' in one ? `untagged: ${one.untagged}` : `deleted: ${one.deleted}`))
  return [...(gone.length > 0 ? ['Deleted Images:', ...gone] : []), `Total reclaimed space: ${reclaimedBytes}B`]
}

export function expectedOf(scene: RemovalScene, { prints = [], errors = [] }: SceneStep): StepResult {
  const spelled = (lines: readonly string[]) => lines.map(line => spell(scene, line))
  return { prints: spelled(prints), errors: spelled(errors) }
}
