/** An image in which something can run, without a network to get one from: Debian's static busybox. */
import { readFileSync, statSync } from 'node:fs'
import type { MadeImage } from './image.js'
import { dir, file, symlink, tar } from './tar.js'

const program = '/usr/bin/busybox'
const applets = ['cat', 'chmod', 'chown', 'echo', 'id', 'ln', 'ls', 'mkdir', 'mv', 'rm', 'sh', 'sleep', 'stat']

/** The layer with the programs; others may stand on it. */
export function busyboxLayer(): Buffer {
  const mode = statSync(program).mode & 0o7777
  return tar([
    dir('bin/'),
    file('bin/busybox', readFileSync(program), { mode }),
    ...applets.map(name => symlink(`bin/${name}`, 'busybox')),
    dir('tmp/', { mode: 0o1777 }),
  ])
}

export function busyboxImage(tag: string, above: readonly Buffer[] = []): MadeImage {
  const config = { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] }
  const step = { created: '2020-01-02T03:04:05Z', created_by: 'a layer of a test' }
  const layers = [busyboxLayer(), ...above]
  return { layers, tags: [tag], config: { config, history: layers.map(() => step) } }
}
