/** Scripts (script.ts) about directories of an image that are moved, each with the layers that it begins with. */
import { runStep, type Script, type Step } from './script.js'
import { dir, file, gone } from './tree-literals.js'
import type { TreeNodes } from './union-sequence.js'

/** `/d/f` in a step is below the directory of the script. */
function script(name: string, layers: readonly TreeNodes[], steps: readonly Step[]): Script {
  const stepsBelow = (top: string) =>
    steps.map(
      ([command, ...args]): Step => [
        command,
        ...args.map(argument => (String(argument).startsWith('/') ? top + argument : argument)),
      ],
    )
  return {
    name,
    layers,
    play: (box, top) => ({ steps: stepsBelow(top), failed: stepsBelow(top).map(step => runStep(box, step)) }),
  }
}

const plain = [{ d: dir({ f: file('f'), s: dir({ x: file('x') }) }) }]
const two = [{ ...plain[0]!, e: dir({ f: file('old'), y: file('y') }) }]
const owner = { uid: 1000, gid: 100 }
const kinds = dir({
  f: file('f', { ...owner, mode: 0o4711, mtime: 1_100_000_000_500_000_000, xattrs: { 'user.k': 'v' } }),
  l: { t: 'l', mtime: 2e9, ...owner, target: 'f' },
  p: { t: 'p', mtime: 3e9, mode: 0o620 },
  c: { t: 'c', mtime: 4e9, mode: 0o600, rdev: [1, 3] },
  s: dir({ x: file('x') }, { ...owner, mode: 0o1751, mtime: 1_200_000_000_250_000_000, xattrs: { 'user.k': 'v' } }),
})
const merged = [
  { d: dir({ f: file('f'), g: file('g'), o: dir({ old: file() }) }) },
  { d: dir({ g: gone, h: file('h'), o: dir({ n: file('n') }, { opaque: true }) }, { mode: 0o711 }) },
]

export const scripts: readonly Script[] = [
  script('plain', plain, [['mv', '/d', '/e']]),
  script('every-kind', [{ d: kinds }], [['mv', '/d', '/e']]),
  script('merged', merged, [
    ['rm', '/d/f'],
    ['write', '/d/n', 'n'],
    ['mv', '/d', '/e'],
  ]),
  script('over-emptied', two, [
    ['rm', '/e/f'],
    ['rm', '/e/y'],
    ['mv', '/d', '/e'],
  ]),
  script('over-removed', two, [
    ['rm -r', '/e'],
    ['mv', '/d', '/e'],
  ]),
  script('refused', two, [
    ['mv', '/d', '/e'],
    ['mv', '/d', '/d/s/d'],
    ['mv', '/d', '/e/f'],
    ['mv', '/d/s', '/d'],
  ]),
  script('twice', plain, [
    ['mv', '/d', '/e'],
    ['mv', '/e', '/g'],
  ]),
  script('one-in-the-other', two, [
    ['mv', '/d', '/g'],
    ['mv', '/e', '/g/s/e'],
  ]),
  script('inner-first', plain, [
    ['mv', '/d/s', '/d/t'],
    ['mv', '/d', '/e'],
  ]),
  script('outer-first', plain, [
    ['mv', '/d', '/e'],
    ['mv', '/e/s', '/t'],
  ]),
  script('old-name-again', plain, [
    ['mv', '/d', '/e'],
    ['mkdir', '/d'],
    ['write', '/d/f', 'again'],
  ]),
  script('removed-then', plain, [
    ['mv', '/d', '/e'],
    ['rm -r', '/e'],
  ]),
  script('swapped', two, [
    ['mv', '/d', '/t'],
    ['mv', '/e', '/d'],
    ['mv', '/t', '/e'],
  ]),
  script('changed-then', plain, [
    ['mv', '/d', '/e'],
    ['chmod', '/e', 0o750],
    ['chown', '/e/f', 5, 6],
    ['append', '/e/f', 'more'],
    ['touch', '/e/s', 1_250_000_000],
    ['rm', '/e/s/x'],
    ['mkfifo', '/e/s/p'],
    ['setfattr', '/e', 'user.k', 'v'],
  ]),
  script('new-links', plain, [
    ['write', '/d/n', 'n'],
    ['ln', '/d/n', '/out'],
    ['ln', '/d/n', '/d/s/in'],
    ['mv', '/d', '/e'],
    ['append', '/out', 'more'],
  ]),
]

/** What is meant to be different: see docs/differences.md. */
export const thereAndBack = script('back', plain, [
  ['mv', '/d', '/e'],
  ['mv', '/e', '/d'],
])
export const linksOfTheImage = script(
  'links',
  [{ d: dir({ a: file('a'), b: { t: 'f', link: 'd/a' } }), c: { t: 'f', link: 'd/a' } }],
  [['mv', '/d', '/e']],
)
