import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  formatPlatform,
  hostPlatform,
  matchPlatform,
  normalizePlatform,
  type Platform,
  parsePlatform,
  platformMatches,
  platformRank,
  selectPlatform,
} from '../../src/oci/platform.js'

const host: Platform = { os: 'linux', architecture: 'amd64' }
const parse = (text: string) => formatPlatform(parsePlatform(text, host))
const entries = (...names: string[]) => names.map(name => ({ name, platform: verbatim(name) }))

function verbatim(name: string): Platform {
  const [os = '', architecture = '', variant] = name.split('/')
  return { os, architecture, ...(variant && { variant }) }
}

/** containerd's normalisation. */
test('every spelling of a platform has one normal form', () => {
  const cases = {
    'linux/amd64': 'linux/amd64',
    'Linux/x86_64': 'linux/amd64',
    'linux/x86-64': 'linux/amd64',
    'linux/amd64/v1': 'linux/amd64',
    'linux/amd64/v3': 'linux/amd64/v3',
    'linux/aarch64': 'linux/arm64',
    'linux/arm64/v8': 'linux/arm64',
    'linux/arm64/8': 'linux/arm64',
    'linux/arm64/v8.0': 'linux/arm64',
    'linux/arm64/v9': 'linux/arm64/v9',
    'linux/armhf': 'linux/arm/v7',
    'linux/armel': 'linux/arm/v6',
    'linux/arm': 'linux/arm/v7',
    'linux/arm/7': 'linux/arm/v7',
    'linux/arm/V6': 'linux/arm/v6',
    'linux/i386': 'linux/386',
    'macos/arm64': 'darwin/arm64',
    'windows/amd64': 'windows/amd64',
    'linux/s390x': 'linux/s390x',
    linux: 'linux/amd64',
    windows: 'windows/amd64',
    arm64: 'linux/arm64',
    armhf: 'linux/arm/v7',
    x86_64: 'linux/amd64',
  }
  for (const [text, normal] of Object.entries(cases)) assert.equal(parse(text), normal, text)
})

test('what is no platform', () => {
  for (const text of [
    '',
    '/',
    'linux/',
    'linux//v8',
    'linux/arm/v7/x',
    'linux/a b',
    'li\nux/arm',
    'toaster',
    'a'.repeat(1000),
  ]) {
    assert.throws(() => parsePlatform(text, host), TypeError, text)
  }
})

test('the host: Linux on the processor that Node was built for', () => {
  assert.equal(formatPlatform(hostPlatform('x64')), 'linux/amd64')
  assert.equal(formatPlatform(hostPlatform('arm64')), 'linux/arm64')
  assert.equal(formatPlatform(hostPlatform('arm', '7')), 'linux/arm/v7')
  assert.equal(formatPlatform(hostPlatform('arm', '6')), 'linux/arm/v6')
  assert.equal(formatPlatform(hostPlatform('arm', undefined)), 'linux/arm/v7')
  assert.equal(formatPlatform(hostPlatform('ia32')), 'linux/386')
  assert.equal(formatPlatform(hostPlatform('s390x')), 'linux/s390x')
  assert.equal(hostPlatform().os, 'linux')
})

test('order of preference: lower levels of a processor, then its 32-bit forebears', () => {
  const order = (wanted: string, ...names: string[]) =>
    platformMatches(entries(...names), verbatim(wanted)).map(({ name }) => name)
  assert.deepEqual(order('linux/amd64', 'linux/386', 'linux/amd64/v2', 'linux/amd64', 'windows/amd64'), [
    'linux/amd64',
    'linux/386',
  ])
  assert.deepEqual(
    order('linux/amd64/v3', 'linux/386', 'linux/amd64', 'linux/amd64/v4', 'linux/amd64/v2', 'linux/amd64/v3'),
    ['linux/amd64/v3', 'linux/amd64/v2', 'linux/amd64', 'linux/386'],
  )
  assert.deepEqual(order('linux/arm', 'linux/arm/v5', 'linux/arm/v8', 'linux/arm/v6', 'linux/arm/v7', 'linux/arm64'), [
    'linux/arm/v7',
    'linux/arm/v6',
    'linux/arm/v5',
  ])
  assert.deepEqual(order('linux/arm64', 'linux/arm/v7', 'linux/arm/v8', 'linux/arm64/v8', 'linux/arm64/v9'), [
    'linux/arm64/v8',
    'linux/arm/v8',
    'linux/arm/v7',
  ])
  assert.deepEqual(order('linux/arm64/v9', 'linux/arm64', 'linux/arm64/v8.5', 'linux/arm64/v8.6', 'linux/arm64/v9'), [
    'linux/arm64/v9',
    'linux/arm64/v8.5',
    'linux/arm64',
  ])
  assert.deepEqual(order('linux/arm64/v8.2', 'linux/arm64', 'linux/arm64/v8.1', 'linux/arm64/v8.3'), [
    'linux/arm64/v8.1',
    'linux/arm64',
  ])
  assert.deepEqual(order('linux/riscv64', 'linux/riscv64', 'linux/arm64'), ['linux/riscv64'])
})

test('equals stay in order, and an entry without a platform comes last', () => {
  const list = [{ name: 'bare', platform: undefined }, ...entries('linux/amd64', 'linux/amd64/v1', 'linux/386')]
  assert.deepEqual(
    platformMatches(list, host).map(({ name }) => name),
    ['linux/amd64', 'linux/amd64/v1', 'linux/386', 'bare'],
  )
  assert.equal(selectPlatform([{ name: 'bare' } as { name: string; platform?: Platform }], host).name, 'bare')
})

test('os version of Windows and os features', () => {
  const want = { os: 'windows', architecture: 'amd64', osVersion: '10.0.17763.1' }
  assert.equal(matchPlatform(want, { ...want, osVersion: '10.0.17763.999' }), true)
  assert.equal(matchPlatform(want, { ...want, osVersion: '10.0.14393.1' }), false)
  assert.equal(matchPlatform({ ...host, osFeatures: ['a'] }, { ...host, osFeatures: ['a', 'b'] }), false)
  assert.equal(matchPlatform({ ...host, osFeatures: ['a', 'b'] }, { ...host, osFeatures: ['a'] }), true)
  assert.equal(platformRank(host, host), 0)
})

test('no match: the error lists what is there', () => {
  assert.throws(() => selectPlatform(entries('linux/arm64/v8', 'windows/amd64', 'windows/amd64'), host, 'index.json'), {
    code: 'PLATFORM_NOT_FOUND',
    platform: 'linux/amd64',
    available: ['linux/arm64/v8', 'windows/amd64'],
    message: 'index.json: no image for "linux/amd64"; it holds "linux/arm64/v8", "windows/amd64"',
  })
  assert.throws(() => selectPlatform([], host), { code: 'PLATFORM_NOT_FOUND', message: /holds no image/ })
  assert.equal(matchPlatform(host, { os: 'unknown', architecture: 'unknown' }), false)
  assert.equal(matchPlatform(host, { os: '', architecture: '' }), false)
})

test('normalisation is idempotent and keeps what it does not know', () => {
  const odd = { os: 'Plan9', architecture: 'PDP11', variant: 'V6', osVersion: 'x' }
  const normal = normalizePlatform(odd)
  assert.deepEqual(normal, { os: 'plan9', architecture: 'pdp11', variant: 'v6', osVersion: 'x' })
  assert.deepEqual(normalizePlatform(normal), normal)
})
