import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultLimits } from '../../src/limits.js'
import { parseImageConfig, requireLayerCount, viewImageConfig } from '../../src/oci/config.js'

const options = { limits: defaultLimits, what: 'config' }
const diffId = (digit: string) => `sha256:${digit.repeat(64)}`
const parse = (value: unknown) => parseImageConfig(Buffer.from(JSON.stringify(value)), options)
const rootfs = { type: 'layers', diff_ids: [diffId('1'), diffId('2')] }
const invalid = { code: 'CONFIG_INVALID' }

test('the least that Docker takes', () => {
  const config = parse({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId('1')] } })
  assert.equal(config.architecture, 'amd64')
  assert.deepEqual(config.diffIds, [diffId('1')])
  assert.deepEqual(config.history, [])
  assert.equal(config.config, undefined)
  assert.deepEqual(parse({ rootfs: {} }).diffIds, [])
})

test('everything that the view names', () => {
  const document = {
    architecture: 'arm',
    variant: 'v7',
    os: 'windows',
    'os.version': '10.0.1',
    'os.features': ['win32k'],
    created: '2020-01-02T03:04:05.678901234Z',
    author: 'me',
    comment: 'hi',
    container: 'c',
    docker_version: '20.10.24',
    config: {
      User: 'u',
      WorkingDir: '/w',
      StopSignal: 'SIGTERM',
      Env: ['A=b'],
      Cmd: ['a', 'b'],
      Entrypoint: 'sh',
      Shell: ['sh', '-c'],
      OnBuild: null,
      Labels: { k: 'v', Env: 'not a case variant of anything', n: null },
      ExposedPorts: { '80/tcp': {} },
      Volumes: { '/data': {} },
      Healthcheck: { Test: ['NONE'] },
    },
    rootfs,
    history: [
      { created: '1970-01-01T00:00:00Z', created_by: 'a', author: 'x', comment: 'y' },
      { created_by: 'b', empty_layer: true },
      {},
    ],
    'moby.buildkit.buildinfo.v1': 'x',
  }
  const config = parse(document)
  const { json, diffIds, history, config: run, ...rest } = config
  assert.deepEqual(rest, {
    os: 'windows',
    architecture: 'arm',
    variant: 'v7',
    osVersion: '10.0.1',
    osFeatures: ['win32k'],
    created: '2020-01-02T03:04:05.678901234Z',
    author: 'me',
    comment: 'hi',
    dockerVersion: '20.10.24',
    container: 'c',
  })
  assert.deepEqual(diffIds, rootfs.diff_ids)
  assert.deepEqual(history, [
    { created: '1970-01-01T00:00:00Z', createdBy: 'a', author: 'x', comment: 'y', emptyLayer: false },
    { createdBy: 'b', emptyLayer: true },
    { emptyLayer: false },
  ])
  const { labels, ...others } = run!
  assert.deepEqual(others, {
    user: 'u',
    workingDir: '/w',
    stopSignal: 'SIGTERM',
    env: ['A=b'],
    cmd: ['a', 'b'],
    entrypoint: ['sh'],
    shell: ['sh', '-c'],
    exposedPorts: ['80/tcp'],
    volumes: ['/data'],
  })
  assert.deepEqual({ ...labels }, { k: 'v', Env: 'not a case variant of anything', n: '' })
  assert.deepEqual(json, document)
})

test('F4: more history entries with a layer than layers are refused, fewer are fine', () => {
  const history = (count: number) => Array.from({ length: count }, () => ({ created_by: 'x' }))
  const empty = { created_by: 'x', empty_layer: true }
  for (const entries of [[], history(1), history(2), [empty, ...history(2), empty]]) {
    assert.equal(parse({ rootfs, history: entries }).history.length, entries.length)
  }
  assert.throws(() => parse({ rootfs, history: history(3) }), {
    ...invalid,
    message: /3 entries with a layer.*2 layers/,
  })
  assert.throws(() => parse({ rootfs: { type: 'layers' }, history: history(1) }), invalid)
})

test('F4: manifest and config must have as many layers', () => {
  const config = parse({ rootfs })
  requireLayerCount(config, 2, 'app:v1')
  for (const count of [0, 1, 3]) {
    assert.throws(() => requireLayerCount(config, count, 'app:v1'), { code: 'MANIFEST_INVALID', message: /app:v1/ })
  }
})

test('F4: the same layer twice and 500 layers are fine, 10,001 are not', () => {
  const layers = (count: number) => ({
    rootfs: { type: 'layers', diff_ids: Array.from({ length: count }, () => diffId('a')) },
  })
  for (const count of [0, 2, 500]) assert.equal(parse(layers(count)).diffIds.length, count)
  assert.throws(() => parse(layers(10_001)), { code: 'LIMIT_EXCEEDED', limit: 'imageLayers' })
})

test('F3: duplicates and other spellings of keys that identity hangs on are refused', () => {
  const text = JSON.stringify({ os: 'linux', rootfs, history: [{ empty_layer: true }] })
  for (const changed of [
    text.replace('"os"', '"os":"x","os"'),
    text.replace('"os"', '"OS":"x","os"'),
    text.replace('"os"', '"RootFS":{},"os"'),
    text.replace('"diff_ids"', '"Diff_Ids":[],"diff_ids"'),
    text.replace('"diff_ids"', '"diff_id\u017f":[],"diff_ids"'),
    text.replace('"empty_layer"', '"Empty_Layer":false,"empty_layer"'),
  ]) {
    assert.throws(() => parseImageConfig(Buffer.from(changed), options), { code: 'MANIFEST_AMBIGUOUS' }, changed)
  }
})

test('what is no image config', () => {
  for (const value of [
    null,
    [],
    'x',
    {},
    { rootfs: null },
    { rootfs: [] },
    { rootfs: { type: 'ext4' } },
    { rootfs: { diff_ids: {} } },
    { rootfs, os: 7 },
    { rootfs, created: 'yesterday' },
    { rootfs, created: '' },
    { rootfs, history: {} },
    { rootfs, history: [null] },
    { rootfs, history: [{ empty_layer: 'true' }] },
    { rootfs, history: [{ created: '2020-13-01T00:00:00Z' }] },
    { rootfs, config: [] },
    { rootfs, config: { Env: 'A=b' } },
    { rootfs, config: { Cmd: [7] } },
    { rootfs, config: { Labels: ['a'] } },
    { rootfs, config: { Labels: { a: 1 } } },
  ]) {
    assert.throws(() => parse(value), invalid, JSON.stringify(value))
  }
  assert.throws(() => parse({ rootfs: { diff_ids: ['sha256:../x'] } }), { code: 'DIGEST_SYNTAX' })
})

test('a view looks at history and config when it is asked for them, and then as strictly', () => {
  const view = (value: unknown) => viewImageConfig(Buffer.from(JSON.stringify(value)), options)
  const whole = { rootfs, os: 'linux', history: [{ created_by: 'a' }], config: { Env: ['A=b'] } }
  assert.deepEqual({ ...view(whole) }, { ...parse(whole) })
  assert.equal(view({ rootfs }).config, undefined)
  const bad = view({ rootfs, history: [null], config: { Env: 'A=b' } })
  assert.deepEqual(bad.diffIds, rootfs.diff_ids)
  for (let twice = 0; twice < 2; twice++) {
    assert.throws(() => bad.history, invalid)
    assert.throws(() => bad.config, invalid)
  }
})

test('a label named __proto__ is a label', () => {
  const bytes = Buffer.from(`{"rootfs":{},"config":{"Labels":{"__proto__":"x","constructor":"y"}}}`)
  const labels = parseImageConfig(bytes, options).config?.labels
  assert.deepEqual(Object.entries(labels!), [
    ['__proto__', 'x'],
    ['constructor', 'y'],
  ])
  assert.equal(labels!.toString, undefined)
})
