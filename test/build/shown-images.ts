/**
 * Images whose configs hold everything that listings show: every field of Docker's config, names of every kind, ages in
 * the middle of the steps of Docker's human figures, sizes at their edges, parents, steps without a layer, dates that
 * are no dates.
 */
import type { MadeImage } from './image.js'
import { imageIdOf, layerTar, legacyArchive, type Members } from './image.js'
import { file, hardlink, symlink, tar } from './tar.js'

const hour = 3600
const day = 24 * hour

/** So long before now, in the form of Go's time.RFC3339Nano. */
function ago(seconds: number): string {
  return new Date(Date.now() - seconds * 1000).toISOString().replace(/\.(\d{3})Z$/, '.$1000001Z')
}

export const full: MadeImage = {
  layers: [
    layerTar({ 'etc/one': '1'.repeat(1234) }),
    tar([file('etc/two', '2'.repeat(70_000)), hardlink('etc/hard', 'etc/two'), symlink('etc/link', 'two')]),
    layerTar({}),
  ],
  tags: ['full:latest', 'full:v1', 'registry.example.com:5000/team/full:v1', 'someone/full:v1'],
  config: {
    created: ago(3.4 * day),
    author: 'Ä. Author <a@example.com>',
    comment: 'a comment & <more>',
    container: 'c'.repeat(64),
    container_config: {
      Hostname: 'abc',
      Cmd: ['/bin/sh', '-c', '#(nop) ', 'CMD ["a"]'],
      Image: 'sha256:0',
      Labels: {},
    },
    docker_version: '19.03.1',
    variant: 'v8',
    'os.version': '10.0.1',
    config: {
      Hostname: 'host',
      Domainname: 'domain',
      User: '1000:1000',
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      ExposedPorts: { '80/tcp': {}, '53/udp': {}, '443/tcp': {} },
      Tty: true,
      OpenStdin: true,
      StdinOnce: true,
      Env: ['PATH=/bin', 'QUOTED="a b" <&>', 'EMPTY=', 'ÜNI=中'],
      Cmd: ['run', '--flag=<x>'],
      Healthcheck: { Test: ['CMD', 'true'], Interval: 30_000_000_000, Timeout: 5_000_000_000, Retries: 3 },
      ArgsEscaped: true,
      Image: 'sha256:1234',
      Volumes: { '/data': {}, '/a b': {} },
      WorkingDir: '/srv',
      Entrypoint: ['/entry', ''],
      NetworkDisabled: true,
      MacAddress: '02:42:ac:11:00:02',
      OnBuild: ['RUN a', 'COPY . .'],
      Labels: { z: 'last', a: 'first', 'with.dots-and': 'x=y', empty: '' },
      StopSignal: 'SIGQUIT',
      StopTimeout: 17,
      Shell: ['/bin/bash', '-c'],
    },
    history: [
      { created: '1970-01-01T00:00:00Z', created_by: '/bin/sh -c #(nop) ADD file:1 in / ' },
      { created: '2000-01-01T00:00:00Z', created_by: 'CMD ["a"]', empty_layer: true, author: 'somebody' },
      { created: '2000-01-01T00:00:01Z', created_by: 'tab\tin it', comment: 'buildkit.dockerfile.v0' },
      { created_by: 'ENV A=b', empty_layer: true },
      {
        created: ago(3.4 * day),
        created_by: `/bin/sh -c ${'long and ünïcode '.repeat(20)}`,
        comment: 'last & <least>',
      },
      { created: ago(3.4 * day), empty_layer: true },
    ],
  },
}

export const bare: MadeImage = { layers: [layerTar({ a: '' })], tags: ['bare:1'], config: { created: undefined } }

export const unnamed: MadeImage = { layers: [layerTar({ u: 'unnamed' })], config: { created: ago(100 * day) } }

const step = (created_by: string, more: object = {}) => ({ created: '2020-01-02T03:04:05Z', created_by, ...more })
const parentLayer = layerTar({ p: 'parent' })

/** Without a name and with a child: shown with --all alone. */
export const parent: MadeImage = {
  layers: [parentLayer],
  config: { created: ago(50 * hour), history: [step('one')], config: { Labels: { who: 'parent' } } },
}
export const child: MadeImage = {
  layers: [parentLayer, layerTar({ c: 'child' })],
  tags: ['child:1'],
  config: {
    created: ago(20 * hour),
    history: [step('one'), step('two', { comment: 'made of its parent' })],
    config: { Labels: { who: 'child', only: '' }, Cmd: null, Env: [], ExposedPorts: {}, Volumes: {}, Entrypoint: [] },
  },
}
export const dated: readonly MadeImage[] = (
  [
    [90, 'minute'],
    [20.5 * 60, 'minutes'],
    [75 * 60, 'hour'],
    [20.2 * hour, 'hours'],
    [9.5 * day, 'days'],
    [25 * day, 'weeks'],
    [200 * day, 'months'],
    [800 * day, 'years'],
  ] as const
).map(([seconds, tag]) => ({
  layers: [layerTar({ tag })],
  tags: [`aged:${tag}`],
  config: { created: ago(seconds), config: { Labels: { aged: tag } } },
}))

/** Dates that Docker takes for none, or that lie in the future, or in another zone. */
export const oddlyDated: readonly MadeImage[] = [
  ['zero', '0001-01-01T00:00:00Z'],
  ['epoch', '1970-01-01T00:00:00Z'],
  ['before', '1969-12-31T23:59:59.5Z'],
  ['millennium', '2000-01-01T00:00:00Z'],
  ['zone', '2019-07-01T00:00:00.123456789+02:00'],
  ['fraction', '2019-07-01T00:00:00.120000000Z'],
  ['future', '2999-01-01T00:00:00Z'],
].map(([tag, created]) => ({ layers: [layerTar({ odd: tag! })], tags: [`odd:${tag}`], config: { created } }))

export const sized: readonly MadeImage[] = [
  1, 10, 999, 1000, 1001, 12_345, 999_400, 999_700, 1_000_000, 10_050_000,
].map(size => ({
  layers: [layerTar({ f: 'x'.repeat(size) })],
  tags: [`sized:${size}`],
  config: { created: ago(3 * 365 * day) },
}))

/** A name that could be the beginning of an id, and one image under names of every form. */
export const named: MadeImage = {
  layers: [layerTar({ n: 'named' })],
  tags: ['dead:beef', 'localhost/a/b:c', 'localhost:5000/a:B_c-d.e', '127.0.0.1/x__y/z-z.z:1', 'quay.io/q:latest'],
  config: { created: ago(400 * day), os: '', architecture: 'arm64' },
}

export const shownImages: readonly MadeImage[] = [
  full,
  bare,
  unnamed,
  parent,
  child,
  ...dated,
  ...oddlyDated,
  ...sized,
  named,
]

/** In two archives: the parent and its child, which are tied to each other by their archive, and the rest. */
export const shownArchives = (): readonly Members[] => [
  legacyArchive([parent, child], { 1: imageIdOf(parent) }),
  legacyArchive(shownImages.filter(image => image !== parent && image !== child)),
]
