/** Every command by its names: Docker's short one and the one under its management command. Files load when called. */
import type { Command } from './command.js'

type Load = () => Promise<{ readonly command: Command }>

export const commands: ReadonlyMap<string, Load> = new Map<string, Load>([
  ['load', () => import('./commands/load.js')],
  ['search', () => import('./commands/search.js')],
  ['login', () => import('./commands/login.js')],
  ['logout', () => import('./commands/logout.js')],
  ['import', () => import('./commands/import.js')],
  ['pull', () => import('./commands/pull.js')],
  ['save', () => import('./commands/save.js')],
  ['copy', () => import('./commands/copy.js')],
  ['push', () => import('./commands/push.js')],
  ['images', () => import('./commands/images.js')],
  ['inspect', () => import('./commands/inspect.js')],
  ['image inspect', () => import('./commands/image-inspect.js')],
  ['container inspect', () => import('./commands/container-inspect.js')],
  ['history', () => import('./commands/history.js')],
  ['tag', () => import('./commands/tag.js')],
  ['rmi', () => import('./commands/rmi.js')],
  ['image prune', () => import('./commands/image-prune.js')],
  ['create', () => import('./commands/create.js')],
  ['ps', () => import('./commands/ps.js')],
  ['rm', () => import('./commands/rm.js')],
  ['diff', () => import('./commands/diff.js')],
  ['commit', () => import('./commands/commit.js')],
  ['export', () => import('./commands/export.js')],
  ['cp', () => import('./commands/cp.js')],
  ['put', () => import('./commands/put.js')],
  ['unpack', () => import('./commands/unpack.js')],
  ['mount', () => import('./commands/mount.js')],
  ['unmount', () => import('./commands/unmount.js')],
  ['ls', () => import('./commands/ls.js')],
  ['cat', () => import('./commands/cat.js')],
  ['gc', () => import('./commands/gc.js')],
  ['df', () => import('./commands/df.js')],
  ['check', () => import('./commands/check.js')],
  ['repair', () => import('./commands/repair.js')],
  ['version', () => import('./commands/version.js')],
])

/** `phyllo image ls` is `phyllo images`. */
export const management: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map([
  [
    'image',
    new Map([
      ['ls', 'images'],
      ['list', 'images'],
      ['load', 'load'],
      ['pull', 'pull'],
      ['save', 'save'],
      ['copy', 'copy'],
      ['push', 'push'],
      ['import', 'import'],
      ['inspect', 'image inspect'],
      ['prune', 'image prune'],
      ['history', 'history'],
      ['tag', 'tag'],
      ['rm', 'rmi'],
      ['remove', 'rmi'],
    ]),
  ],
  ['system', new Map([['df', 'df']])],
  [
    'container',
    new Map([
      ['create', 'create'],
      ['inspect', 'container inspect'],
      ['ls', 'ps'],
      ['list', 'ps'],
      ['ps', 'ps'],
      ['rm', 'rm'],
      ['remove', 'rm'],
      ['diff', 'diff'],
      ['cp', 'cp'],
      ['commit', 'commit'],
      ['export', 'export'],
    ]),
  ],
])

/** Docker's commands that are not here yet (or, for those about running processes, never will be). */
const later = 'build'
const never =
  'attach compose config context events exec info kill logs network node pause plugin port rename restart run secret service ' +
  'stack start stats stop swarm top trust unpause update volume wait'
const laterManaged: Readonly<Record<string, string>> = {
  image: 'build',
  system: 'prune info events',
  container: 'prune attach exec kill logs pause port rename restart run start stats stop top unpause update wait',
}

/** Says in one line that a Docker command is not there; undefined for a word that Docker does not know either. */
export function missing(words: readonly string[]): string | undefined {
  const [first = '', second = ''] = words
  if (laterManaged[first]?.split(' ').includes(second)) return `${first} ${second}: not in this version of phyllo`
  if (later.split(' ').includes(first)) return `${first}: not in this version of phyllo`
  if (never.split(' ').includes(first)) return `${first}: phyllo stores images and layers; it does not run anything`
  return undefined
}
