/** `app.tar` of the README: a docker-archive as `docker save app:v1` writes it, with two small layers. */
import { createHash } from 'node:crypto'
import { dir, file, tar } from './tar.js'

export const osRelease = 'NAME="Small"\nID=small\n'
export const motd = 'from the second layer\n'

export function appArchive(): Buffer {
  const layers = [
    tar([dir('etc/'), file('etc/os-release', osRelease), file('etc/motd', 'from the first layer\n')]),
    tar([dir('etc/'), file('etc/motd', motd)]),
  ]
  const config = JSON.stringify({
    architecture: { x64: 'amd64', arm: 'arm', arm64: 'arm64' }[process.arch as string] ?? process.arch,
    os: 'linux',
    created: '2024-05-01T12:00:00Z',
    config: { Cmd: ['/bin/sh'] },
    history: layers.map((_, i) => ({ created: '2024-05-01T12:00:00Z', created_by: `step ${i}` })),
    rootfs: { type: 'layers', diff_ids: layers.map(layer => `sha256:${sha256(layer)}`) },
  })
  const members = layers.map(layer => ({ name: `${sha256(layer)}/layer.tar`, layer }))
  const manifest = [{ Config: `${sha256(config)}.json`, RepoTags: ['app:v1'], Layers: members.map(({ name }) => name) }]
  return tar([
    ...members.map(({ name, layer }) => file(name, layer)),
    file(`${sha256(config)}.json`, config),
    file('manifest.json', JSON.stringify(manifest)),
  ])
}

function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
