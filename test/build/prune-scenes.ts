/**
 * What goes and what stays when unused images are removed, and what Docker says to it: as removal-scenes.ts, but each scene has a
 * store of its own, and lines come in any order, for Docker goes through its images in the order of a Go map.
 */
import { contentOf, type RemovalScene, type SceneStep } from './removal-scenes.js'

/** The lines of one prune: names that went, images, their layers as `image/number`; and the layers whose bytes those are. */
interface Pruned {
  readonly untagged?: readonly string[]
  readonly deleted?: readonly string[]
  readonly layers?: readonly string[]
}

function prune(
  name: string,
  options: readonly string[],
  { untagged = [], deleted = [], layers = [] }: Pruned,
): SceneStep {
  const gone = [
    ...untagged.map(tag => `untagged: ${tag}`),
    ...deleted.map(key => `deleted: ${key.includes('/') ? `{${key}}` : `sha256:{${key}}`}`),
  ]
  const bytes = layers.reduce((sum, layer) => sum + contentOf(layer, name).length, 0)
  return {
    run: ['image', 'prune', '-f', ...options],
    prints: [...(gone.length > 0 ? ['Deleted Images:', ...gone] : []), `Total reclaimed space: ${bytes}B`],
  }
}

type Scene = Omit<RemovalScene, 'name' | 'steps'> & {
  readonly steps: readonly (readonly [options: readonly string[], pruned: Pruned])[]
}

function scene(name: string, { steps, ...rest }: Scene): RemovalScene {
  return { name, ...rest, steps: steps.map(([options, pruned]) => prune(name, options, pruned)) }
}

const nothing: Pruned = {}
const day = 24 * 3600 * 1000
const ago = (days: number) => new Date(Date.now() - days * day).toISOString()

export const pruneScenes: readonly RemovalScene[] = [
  scene('without a name, and what that alone was built from', {
    images: {
      named: { layers: ['base', 'named'], tags: ['some:1'] },
      lost: { layers: ['base', 'lost'] },
      under: { layers: ['under'] },
      top: { layers: ['under', 'top'], parent: 'under', tags: ['built:1'] },
      first: { layers: ['first'] },
      second: { layers: ['first', 'second'], parent: 'first' },
      third: { layers: ['first', 'second', 'third'], parent: 'second' },
    },
    steps: [
      [
        [],
        {
          deleted: ['lost', 'lost/1', 'third', 'third/2', 'second', 'second/1', 'first', 'first/0'],
          layers: ['lost', 'third', 'second', 'first'],
        },
      ],
      [[], nothing],
      [
        ['-a'],
        {
          untagged: ['some:1', 'built:1'],
          deleted: ['named', 'named/1', 'named/0', 'top', 'top/1', 'under', 'under/0'],
          layers: ['base', 'named', 'under', 'top'],
        },
      ],
      [['-a'], nothing],
    ],
  }),
  scene('of containers: their image keeps its last name', {
    images: {
      box: { layers: ['box'], tags: ['box:1', 'box:2', 'other/box:1'] },
      free: { layers: ['box', 'free'], tags: ['free:1', 'free:2'] },
      bare: { layers: ['bare'], tags: ['bare:1'] },
      child: { layers: ['bare', 'child'], parent: 'bare', tags: ['child:1'] },
      made: { layers: ['made'], tags: ['made:1'] },
      above: { layers: ['made', 'above'], parent: 'made', tags: ['above:1'] },
    },
    containers: ['box:1', 'child:1', 'made:1'],
    steps: [
      [[], nothing],
      [
        ['-a'],
        {
          // One of three names stays, one of two of what has a container above it.
          untagged: ['box:1', 'box:2', 'free:1', 'free:2', 'bare:1', 'above:1'],
          deleted: ['free', 'free/1', 'above', 'above/1'],
          layers: ['free', 'above'],
        },
      ],
      [['-a'], nothing],
    ],
  }),
  scene('a name by digest is none', {
    images: {
      pulled: { layers: ['pulled'] },
      tagged: { layers: ['tagged'], tags: ['pulled/two:1'] },
    },
    digests: [
      ['pulled/one', 'pulled'],
      ['pulled/two', 'tagged'],
    ],
    steps: [
      [[], { untagged: ['pulled/one@{digest}'], deleted: ['pulled', 'pulled/0'], layers: ['pulled'] }],
      [
        ['-a'],
        {
          untagged: ['pulled/two:1', 'pulled/two@{digest}'],
          deleted: ['tagged', 'tagged/0'],
          layers: ['tagged'],
        },
      ],
    ],
  }),
  scene('only those with a label, without one, and older than a moment', {
    images: {
      kept: { layers: ['kept'], config: { config: { Labels: { keep: 'yes', team: 'a' } } } },
      other: { layers: ['other'], config: { config: { Labels: { keep: 'no' } } } },
      plain: { layers: ['plain'], config: { config: {} } },
      old: { layers: ['old'], config: { created: ago(10), config: { Labels: { aged: '' } } } },
      // Goes with what was made of it, whatever was asked for.
      from: { layers: ['from'], config: { config: {} } },
      grown: { layers: ['from', 'grown'], parent: 'from', config: { config: { Labels: { grown: '' } } } },
      young: { layers: ['young'], config: { created: ago(0.5), config: { Labels: { aged: '' } } } },
    },
    steps: [
      [['--filter', 'label=nobody'], nothing],
      [['--filter', 'label=keep=perhaps'], nothing],
      [['--filter', 'label=grown'], { deleted: ['grown', 'grown/1', 'from', 'from/0'], layers: ['from', 'grown'] }],
      [['--filter', 'until=24h', '--filter', 'label=aged'], { deleted: ['old', 'old/0'], layers: ['old'] }],
      [['--filter', 'until=2001-02-03'], nothing],
      [['--filter', 'label=keep', '--filter', 'label=team=b'], nothing],
      [['--filter', 'label=keep=no'], { deleted: ['other', 'other/0'], layers: ['other'] }],
      [['--filter', 'label!=keep'], { deleted: ['plain', 'plain/0', 'young', 'young/0'], layers: ['plain', 'young'] }],
      [['--filter', 'label!=team=b'], { deleted: ['kept', 'kept/0'], layers: ['kept'] }],
    ],
  }),
  scene('all, by the filter dangling', {
    images: { a: { layers: ['a'], tags: ['all:1'] }, b: { layers: ['b'], tags: ['all:2'] } },
    steps: [
      [['--filter', 'dangling=true'], nothing],
      [
        ['--filter', 'dangling=false'],
        { untagged: ['all:1', 'all:2'], deleted: ['a', 'a/0', 'b', 'b/0'], layers: ['a', 'b'] },
      ],
    ],
  }),
]
