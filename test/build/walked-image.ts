/**
 * An image to walk, and what it shows in its folder `/top`, written by hand: three layers with whiteouts, an opaque directory
 * and names of every kind, then what a container changes in it. Beside it is an `/etc`, as every host has one.
 */
import type { Container, Store } from '../../src/index.js'
import type { Plain } from './plain-tree.js'
import { dir, file, symlink, tar } from './tar.js'

export const walkedLayers: readonly Buffer[] = [
  tar([
    file('etc/passwd', 'app:x:1000:1000::/srv:/bin/sh\n'),
    file('etc/of-the-image/config.json', '{}'),
    dir('top/etc/'),
    file('top/etc/passwd', 'app:x:1000:1000::/srv:/bin/sh\n'),
    file('top/etc/app/config.json', '{}'),
    file('top/etc/app/old.json', '{}'),
    dir('top/usr/lib/node_modules/'),
    file('top/usr/lib/node_modules/tool/index.js', 'tool()'),
    file('top/usr/lib/node_modules/tool/package.json', '{"name":"tool"}'),
    file('top/usr/bin/tool', '#!/bin/sh\n', { mode: 0o755 }),
    file('top/opt/old/gone.js', ''),
    file('top/opt/old/deep/gone.js', ''),
    file('top/srv/.env', 'A=b'),
    file('top/srv/.cache/entry.js', ''),
    file('top/proc-of-the-image.js', ''),
  ]),
  tar([
    file('top/etc/app/.wh.old.json'),
    file('top/opt/old/.wh..wh..opq'),
    file('top/opt/old/new.js', 'new'),
    symlink('top/usr/lib/link', 'node_modules'),
    symlink('top/usr/bin/tool.js', '../lib/node_modules/tool/index.js'),
    file('top/srv/with space.js', ''),
    file('top/srv/[x]{y}.js', ''),
    file('top/srv/ünï.js', ''),
    file('top/srv/UPPER.JS', ''),
  ]),
  tar([
    file('top/etc/passwd', 'changed by the third layer\n'),
    symlink('top/srv/dangling.js', 'nowhere'),
    symlink('top/srv/self.js', 'self.js'),
    dir('top/srv/empty/'),
    file('top/.wh.proc-of-the-image.js'),
  ]),
]

const tool: Plain = { in: { 'index.js': 'tool()', 'package.json': '{"name":"tool"}' } }

/** What the layers show together in `/top`. */
export const walkedTree: Record<string, Plain> = {
  etc: { in: { passwd: 'changed by the third layer\n', app: { in: { 'config.json': '{}' } } } },
  usr: {
    in: {
      lib: { in: { node_modules: { in: { tool } }, link: { link: 'node_modules' } } },
      bin: { in: { tool: '#!/bin/sh\n', 'tool.js': { link: '../lib/node_modules/tool/index.js' } } },
    },
  },
  opt: { in: { old: { in: { 'new.js': 'new' } } } },
  srv: {
    in: {
      '.env': 'A=b',
      '.cache': { in: { 'entry.js': '' } },
      'with space.js': '',
      '[x]{y}.js': '',
      'ünï.js': '',
      'UPPER.JS': '',
      'dangling.js': { link: 'nowhere' },
      'self.js': { link: 'self.js' },
      empty: { in: {} },
    },
  },
}

export async function changedContainer(store: Store, image: string): Promise<Container> {
  const box = await store.create(image)
  await box.promises.rm('/top/opt', { recursive: true })
  await box.promises.rename('/top/usr/lib/node_modules', '/top/usr/lib/modules')
  box.mkdirSync('/top/home/work/deep', { recursive: true })
  box.writeFileSync('/top/home/work/deep/new.js', 'new')
  box.writeFileSync('/top/etc/only-of-the-container.json', '{}')
  box.symlinkSync('work', '/top/home/link')
  box.unlinkSync('/top/srv/self.js')
  box.appendFileSync('/top/srv/.env', '\nC=d')
  return box
}

/** What that container shows there. */
export const changedTree: Record<string, Plain> = {
  etc: { in: { ...childrenOf('etc'), 'only-of-the-container.json': '{}' } },
  usr: {
    in: {
      ...childrenOf('usr'),
      lib: { in: { modules: { in: { tool } }, link: { link: 'node_modules' } } },
    },
  },
  home: { in: { work: { in: { deep: { in: { 'new.js': 'new' } } } }, link: { link: 'work' } } },
  srv: { in: { ...without(childrenOf('srv'), 'self.js'), '.env': 'A=b\nC=d' } },
}

function childrenOf(name: string): Record<string, Plain> {
  return (walkedTree[name] as { in: Record<string, Plain> }).in
}

function without(children: Record<string, Plain>, gone: string): Record<string, Plain> {
  return Object.fromEntries(Object.entries(children).filter(([name]) => name !== gone))
}
