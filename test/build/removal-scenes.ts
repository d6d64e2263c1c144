/**
 * What is removed, in which order, and what Docker says to it: told as tables, for our rules and for a dockerd beside us.
 *
 * The images of a scene have repositories of their own, so that all scenes fit into one store. In words and answers `{x}` is the id
 * of image x without its algorithm, `{x:12}` the first 12 digits of it, `{x/n}` the chain id of its layer n.
 */
import { chainIdsOf } from '../../src/oci/chain-id.js'
import type { DiffId } from '../../src/oci/digest.js'
import { digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage, type Members } from './image.js'

export interface SceneImage {
  /** A layer for each, shared with whoever names the same. */
  readonly layers: readonly string[]
  readonly tags?: readonly string[]
  /** Earlier in the scene. */
  readonly parent?: string
  /** Further fields of its config. */
  readonly config?: MadeImage['config']
}

export interface SceneStep {
  /** After `phyllo` or `docker`. */
  readonly run: readonly string[]
  readonly prints?: readonly string[]
  /** Without the program's own words in front. */
  readonly errors?: readonly string[]
  /** Default 1 with errors, else 0. */
  readonly status?: number
}

export interface RemovalScene {
  readonly name: string
  readonly images: Readonly<Record<string, SceneImage>>
  /** Repository and image: a name by digest, as a pull leaves it. */
  readonly digests?: readonly (readonly [repository: string, image: string])[]
  /** Image by its name. They do not run. */
  readonly containers?: readonly string[]
  readonly steps: readonly SceneStep[]
}

export const sceneDigest = digestOf(Buffer.from('a manifest'))

/** Of the one file of a layer. */
export const contentOf = (layer: string, scene: string) => `${layer} of ${scene}`

export function madeImages({ name, images }: RemovalScene): ReadonlyMap<string, MadeImage> {
  const made = Object.entries(images).map(([key, { layers, tags, config }]): [string, MadeImage] => {
    const tars = layers.map(layer => layerTar({ [layer]: contentOf(layer, name) }))
    return [key, { layers: tars, ...(tags && { tags }), config: { author: `${key} of ${name}`, ...config } }]
  })
  return new Map(made)
}

export function sceneArchive(scene: RemovalScene): Members {
  const made = madeImages(scene)
  const parents = Object.values(scene.images).flatMap(({ parent }, at) =>
    parent === undefined ? [] : [[at, imageIdOf(made.get(parent)!)] as const],
  )
  return legacyArchive([...made.values()], Object.fromEntries(parents))
}

/** The words with ids in the place of names in braces. */
export function spell(scene: RemovalScene, text: string): string {
  const made = madeImages(scene)
  return text
    .replaceAll('{digest}', sceneDigest)
    .replaceAll(/\{(\w+)(?::(\d+)|\/(\d+))?\}/g, (_, key: string, digits?: string, layer?: string) => {
      const image = made.get(key)
      if (image === undefined) throw new Error(`${scene.name}: no image ${key}`)
      if (layer !== undefined) return chainIdsOf(image.layers.map(tar => digestOf(tar) as DiffId))[Number(layer)]!
      return imageIdOf(image).slice('sha256:'.length, digits === undefined ? undefined : 7 + Number(digits))
    })
}

/** Which container it was is known to nobody beforehand. */
export function anyContainer(text: string): string {
  return text.replaceAll(/container [0-9a-f]{12}/g, 'container CONTAINER')
}

const deleted = (image: string, ...layers: number[]) => [
  `Deleted: sha256:{${image}}`,
  ...layers.map(layer => `Deleted: {${image}/${layer}}`),
]
const multiple = (image: string) =>
  `conflict: unable to delete {${image}:12} (must be forced) - image is referenced in multiple repositories`
const dependent = (image: string) =>
  `conflict: unable to delete {${image}:12} (cannot be forced) - image has dependent child images`
const stopped = (image: string) =>
  `conflict: unable to delete {${image}:12} (must be forced) - image is being used by stopped container CONTAINER`
const lastName = (name: string, image: string) =>
  `conflict: unable to remove repository reference "${name}" (must force) - container CONTAINER is using its referenced image {${image}:12}`

export const removalScenes: readonly RemovalScene[] = [
  {
    name: 'the image goes with its last name, from the top layer down',
    images: { a: { layers: ['one', 'two', 'three'], tags: ['names:1', 'names:2', 'other/names:latest'] } },
    steps: [
      { run: ['rmi', 'names:1'], prints: ['Untagged: names:1'] },
      { run: ['rmi', 'names:1'], errors: ['No such image: names:1'] },
      { run: ['rmi', 'docker.io/other/names'], prints: ['Untagged: other/names:latest'] },
      { run: ['rmi', 'names:2'], prints: ['Untagged: names:2', ...deleted('a', 2, 1, 0)] },
      { run: ['rmi', '{a}'], errors: ['No such image: {a}'] },
    ],
  },
  {
    name: 'by id: with its one name, and not with several',
    images: {
      a: { layers: ['one'], tags: ['ids:1'] },
      b: { layers: ['one', 'b'], tags: ['ids:2', 'ids:3'] },
      c: { layers: ['c'], tags: ['ids/c:1', 'ids/d:1'] },
      none: { layers: ['none'] },
    },
    steps: [
      { run: ['rmi', '{a:12}'], prints: ['Untagged: ids:1', ...deleted('a')] },
      { run: ['rmi', 'sha256:{b}'], errors: [multiple('b')] },
      { run: ['rmi', '{c}', '{none}'], prints: deleted('none', 0), errors: [multiple('c')] },
      { run: ['rmi', '-f', '{b:12}'], prints: ['Untagged: ids:2', 'Untagged: ids:3', ...deleted('b', 1, 0)] },
      { run: ['rmi', '--force', '{c}'], prints: ['Untagged: ids/c:1', 'Untagged: ids/d:1', ...deleted('c', 0)] },
    ],
  },
  {
    name: 'several words: what is not there keeps nobody else, and with -f is no failure',
    images: { a: { layers: ['one'], tags: ['several:1', 'several:2', 'several:3'] } },
    steps: [
      {
        run: ['rmi', 'several:0', 'several:1', 'nothere:1'],
        prints: ['Untagged: several:1'],
        errors: ['No such image: several:0', 'No such image: nothere:1'],
      },
      {
        run: ['rmi', '-f', 'several:0', 'several:2'],
        prints: ['Untagged: several:2'],
        errors: ['No such image: several:0'],
        status: 0,
      },
      { run: ['image', 'rm', 'several:3'], prints: ['Untagged: several:3', ...deleted('a', 0)] },
    ],
  },
  {
    name: 'digests go with the last tag of their repository, and not before',
    images: {
      a: { layers: ['a'], tags: ['dig:1', 'dig:2'] },
      b: { layers: ['b'], tags: ['digb:1', 'far.example/digb:1'] },
    },
    digests: [
      ['dig', 'a'],
      ['digb', 'b'],
    ],
    steps: [
      { run: ['rmi', 'dig:1'], prints: ['Untagged: dig:1'] },
      { run: ['rmi', 'dig:2'], prints: ['Untagged: dig:2', 'Untagged: dig@{digest}', ...deleted('a', 0)] },
      { run: ['rmi', 'digb:1'], prints: ['Untagged: digb:1', 'Untagged: digb@{digest}'] },
      { run: ['rmi', '{b}'], prints: ['Untagged: far.example/digb:1', ...deleted('b', 0)] },
    ],
  },
  {
    name: 'a tag and a digest of one repository are one name, of two they are not',
    images: {
      a: { layers: ['a'], tags: ['one/dig:1'] },
      b: { layers: ['b'], tags: ['two/dig:1'] },
      c: { layers: ['c'] },
      d: { layers: ['d'], tags: ['both/dig:1'] },
    },
    digests: [
      ['one/dig', 'a'],
      ['two/other', 'b'],
      ['only/dig', 'c'],
      ['only/twice', 'c'],
      ['both/dig', 'd'],
    ],
    steps: [
      { run: ['rmi', '{a}'], prints: ['Untagged: one/dig:1', 'Untagged: one/dig@{digest}', ...deleted('a', 0)] },
      { run: ['rmi', '{b}'], errors: [multiple('b')] },
      { run: ['rmi', 'two/other@{digest}'], prints: ['Untagged: two/other@{digest}'] },
      { run: ['rmi', 'two/dig:1'], prints: ['Untagged: two/dig:1', ...deleted('b', 0)] },
      { run: ['rmi', '{c}'], errors: [multiple('c')] },
      { run: ['rmi', 'only/dig@{digest}'], prints: ['Untagged: only/dig@{digest}'] },
      { run: ['rmi', '{c}'], prints: ['Untagged: only/twice@{digest}', ...deleted('c', 0)] },
      { run: ['rmi', 'both/dig@{digest}'], prints: ['Untagged: both/dig@{digest}'] },
      { run: ['rmi', '{d}'], prints: ['Untagged: both/dig:1', ...deleted('d', 0)] },
    ],
  },
  {
    name: 'the beginning of its id is an id, also where it is a name; of another it is the name',
    images: { a: { layers: ['a'], tags: ['prefix:1'] }, b: { layers: ['b'], tags: ['prefix:2'] } },
    steps: [
      { run: ['tag', 'prefix:1', '{a:6}'] },
      { run: ['rmi', '{a:6}'], errors: [multiple('a')] },
      { run: ['tag', 'prefix:1', '{b:6}'] },
      { run: ['rmi', '{b:6}'], prints: ['Untagged: {b:6}:latest'] },
      { run: ['rmi', '{b:6}'], prints: ['Untagged: prefix:2', ...deleted('b', 0)] },
    ],
  },
  {
    name: 'images without a name that it was built from go along',
    images: {
      base: { layers: ['base'] },
      mid: { layers: ['base', 'mid'], parent: 'base' },
      top: { layers: ['base', 'mid', 'top'], parent: 'mid', tags: ['built:1'] },
      other: { layers: ['other', 'more'], tags: ['built:other'] },
      last: { layers: ['other', 'more', 'last'], parent: 'other', tags: ['built:last'] },
    },
    steps: [
      { run: ['rmi', '{mid}'], errors: [dependent('mid')] },
      { run: ['rmi', '-f', '{base}'], errors: [dependent('base')] },
      {
        run: ['rmi', 'built:1'],
        prints: ['Untagged: built:1', ...deleted('top', 2), ...deleted('mid', 1), ...deleted('base', 0)],
      },
      // It has a child: only the name goes, and nobody is told why.
      { run: ['rmi', 'built:other'], prints: ['Untagged: built:other'] },
      {
        run: ['rmi', 'built:last'],
        prints: ['Untagged: built:last', ...deleted('last', 2), ...deleted('other', 1, 0)],
      },
    ],
  },
  {
    name: 'parents that somebody else needs stay, and with --no-prune all',
    images: {
      named: { layers: ['named'], tags: ['kept:named'] },
      one: { layers: ['named', 'one'], parent: 'named', tags: ['kept:one'] },
      shared: { layers: ['shared'] },
      two: { layers: ['shared', 'two'], parent: 'shared', tags: ['kept:two'] },
      three: { layers: ['shared', 'three'], parent: 'shared', tags: ['kept:three'] },
    },
    steps: [
      { run: ['rmi', 'kept:one'], prints: ['Untagged: kept:one', ...deleted('one', 1)] },
      { run: ['rmi', 'kept:two'], prints: ['Untagged: kept:two', ...deleted('two', 1)] },
      { run: ['rmi', '--no-prune', 'kept:three'], prints: ['Untagged: kept:three', ...deleted('three', 1)] },
      { run: ['rmi', '{shared:20}'], prints: deleted('shared', 0) },
    ],
  },
  {
    name: 'an image of a container keeps its last name, unless it is forced; its layers stay',
    images: {
      a: { layers: ['a', 'b'], tags: ['box:1', 'box:2'] },
      none: { layers: ['n'], tags: ['box:none'] },
      under: { layers: ['u'], tags: ['box:under'] },
      child: { layers: ['u', 'c'], parent: 'under', tags: ['box:child'] },
    },
    containers: ['box:1', 'box:none', 'box:under'],
    steps: [
      { run: ['rmi', 'box:1'], prints: ['Untagged: box:1'] },
      { run: ['rmi', 'box:2'], errors: [lastName('box:2', 'a')] },
      { run: ['rmi', '{a}'], errors: [stopped('a')] },
      { run: ['rmi', '-f', 'box:2'], prints: ['Untagged: box:2', ...deleted('a')] },
      { run: ['rmi', '-f', '{none:12}'], prints: ['Untagged: box:none', ...deleted('none')] },
      { run: ['rmi', '-f', 'box:under'], prints: ['Untagged: box:under'] },
      { run: ['rmi', 'box:child'], prints: ['Untagged: box:child', ...deleted('child', 1)] },
      { run: ['rmi', '{under}'], errors: [stopped('under')] },
    ],
  },
  {
    name: 'layers that another image has stay',
    images: {
      a: { layers: ['base', 'a'], tags: ['layers:a'] },
      b: { layers: ['base', 'b'], tags: ['layers:b'] },
      c: { layers: ['base', 'a', 'c'], tags: ['layers:c'] },
    },
    steps: [
      { run: ['rmi', 'layers:a'], prints: ['Untagged: layers:a', ...deleted('a')] },
      { run: ['rmi', 'layers:b'], prints: ['Untagged: layers:b', ...deleted('b', 1)] },
      { run: ['rmi', 'layers:c'], prints: ['Untagged: layers:c', ...deleted('c', 2, 1, 0)] },
    ],
  },
]
