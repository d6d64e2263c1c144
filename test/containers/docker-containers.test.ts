/** What a dockerd's files say of its containers, damaged ones among them; more in test/system/docker-ps.system.test.ts. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { ContainerStore } from '../../src/containers/container-store.js'
import { dockerContainers } from '../../src/containers/docker-containers.js'
import { openRoot } from '../../src/disk/open-root.js'
import { Overlay2Driver } from '../../src/drivers/overlay2/overlay2-driver.js'
import { LayerStore } from '../../src/layers/layer-store.js'
import { defaultLimits } from '../../src/limits.js'
import { newRoot } from '../build/stores.js'

const idOf = (digit: string) => digit.repeat(64)
const image = `sha256:${'e'.repeat(64)}`
const created = '2026-11-22T21:31:26.239560275Z'
const never = '0001-01-01T00:00:00Z'

async function rootWith(t: TestContext, files: Readonly<Record<string, unknown>>) {
  const root = await openRoot(newRoot(t), { driver: 'overlay2', durability: 'none' })
  t.after(() => root.close())
  for (const [id, file] of Object.entries(files)) {
    const directory = join(root.paths.dockerContainers()!, id)
    mkdirSync(directory, { recursive: true })
    writeFileSync(join(directory, 'config.v2.json'), typeof file === 'string' ? file : JSON.stringify(file))
  }
  return root
}

const file = (digit: string, state: object = {}, more: object = {}) => ({
  ...{ ID: idOf(digit), Name: `/box-${digit}`, Image: image, Created: created, Path: '/bin/sh', Args: ['-c', 'x'] },
  ...{
    State: { StartedAt: created, FinishedAt: never, ExitCode: 0, ...state },
    Config: { Image: 'app:1', Labels: { a: 'b' } },
  },
  ...more,
})

test('states are those of Docker: container/state.go, StateString', async t => {
  const states: readonly (readonly [state: object, name: string])[] = [
    [{ Running: true }, 'running'],
    [{ Running: true, Paused: true }, 'paused'],
    [{ Running: true, Restarting: true }, 'restarting'],
    [{ RemovalInProgress: true, Dead: true }, 'removing'],
    [{ Dead: true }, 'dead'],
    [{ StartedAt: never }, 'created'],
    [{ ExitCode: 3 }, 'exited'],
  ]
  const root = await rootWith(t, Object.fromEntries(states.map(([state], at) => [idOf(`${at}`), file(`${at}`, state)])))
  assert.deepEqual(
    (await dockerContainers(root)).map(({ state }) => state),
    states.map(([, name]) => name),
  )
})

test('what its file says', async t => {
  const network = {
    Ports: { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '9/udp': null },
    Networks: { n: {}, a: {} },
  }
  const mounts = {
    '/v': { Name: 'vol', Source: '/x', Destination: '/v', Driver: 'local' },
    '/b': { Source: '/s', Destination: '/b' },
  }
  const more = { NetworkSettings: network, MountPoints: mounts }
  const root = await rootWith(t, { [idOf('a')]: file('a', { Running: true, Health: { Status: 'healthy' } }, more) })
  assert.deepEqual(await dockerContainers(root), [
    {
      ...{ id: idOf('a'), name: 'box-a', image: 'app:1', imageId: image, created, command: ['/bin/sh', '-c', 'x'] },
      ...{
        labels: { a: 'b' },
        state: 'running',
        exitCode: 0,
        startedAt: created,
        finishedAt: undefined,
        health: 'healthy',
      },
      ports: ['0.0.0.0:8080->80/tcp', '9/udp'],
      mounts: [
        { source: 'vol', destination: '/v', driver: 'local' },
        { source: '/s', destination: '/b', driver: '' },
      ],
      networks: ['a', 'n'],
    },
  ])
})

test('files that dockerd would not load are none: cut, of another container, no object', async t => {
  const root = await rootWith(t, {
    [idOf('1')]: '{"ID":',
    [idOf('2')]: file('3'),
    [idOf('4')]: 'null',
    [idOf('5')]: { ID: idOf('5') },
    short: file('6'),
  })
  mkdirSync(join(root.paths.dockerContainers()!, idOf('7')))
  const [only, ...others] = await dockerContainers(root)
  assert.deepEqual(
    [others.length, only?.id, only?.name, only?.imageId, only?.state],
    [0, idOf('5'), '', undefined, 'created'],
  )
})

test('a name that a dockerd has given is not given again, and its containers cannot be held here', async t => {
  const root = await rootWith(t, { [idOf('a')]: file('a') })
  const store = new ContainerStore(root, new LayerStore(root, new Overlay2Driver(root)), defaultLimits)
  const taken = { code: 'CONTAINER_NAME_TAKEN', container: idOf('a') }
  await assert.rejects(store.create({ name: 'box-a', bounds: {} }), taken)
  for (const text of ['box-a', 'aaaa', idOf('a')])
    await assert.rejects(store.hold(text), { code: 'CONTAINER_NOT_FOUND', message: /: one of a dockerd/ })
  await assert.rejects(store.hold('box-b'), { code: 'CONTAINER_NOT_FOUND', message: 'No such container: box-b' })
})
