/** Searching beside Docker: the same requests, the same rows, the same filters as docker through a dockerd. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileScratch, runPhyllo } from '../build/cli.js'
import { dockerRegistry } from '../build/docker-registry.js'
import { DockerRoots } from '../build/docker-roots.js'
import type { Dockerd } from '../build/dockerd.js'
import { FakeRegistry } from '../build/fake-registry.js'

const roots = new DockerRoots()
const root = join(fileScratch(), 'root')
let daemon: Dockerd
before(async () => {
  daemon = await roots.start('root')
})

const results = [
  { name: 'app', description: 'An app\nof two lines', star_count: 1200, is_official: true, is_automated: false },
  { name: 'a/app', description: 'x'.repeat(45), star_count: 3, is_official: false, is_automated: true },
  {
    name: 'b/longer-name-of-an-app',
    description: 'y'.repeat(46),
    star_count: 0,
    is_official: false,
    is_automated: false,
  },
  { name: 'c/app', description: '', star_count: 12, is_official: false, is_automated: false },
]

const row = '{{.Name}}\t{{.Description}}\t{{.StarCount}}\t{{.IsOfficial}}'

test('the same words give the same output, out of the same requests', async t => {
  const fake = await FakeRegistry.start(t, {
    routes: [
      ['GET /v1/_ping', { headers: { 'content-type': 'application/json' }, body: 'true' }],
      [/^GET \/v1\/search/, { headers: { 'content-type': 'application/json' }, body: JSON.stringify({ results }) }],
    ],
  })
  const term = `${fake.host}/some app`
  for (const words of [
    ['--format', `table ${row}`],
    ['--format', `table ${row}`, '--no-trunc', '--limit', '50'],
    ['--format', `${row}\t{{.IsAutomated}}`],
    ['--format', 'json', '--limit', '100'],
    ['--format', `table ${row}`, '--filter', 'stars=3'],
    ['--format', `table ${row}`, '--filter', 'stars=3', '--filter', 'stars=12'],
    ['--format', '{{.Name}}', '--filter', 'is-official=true'],
    ['--format', '{{.Name}}', '--filter', 'is-official=false'],
    ['--format', '{{.Name}}', '--filter', 'is-automated=true'],
    ['--format', '{{.Name}}', '--filter', 'is-automated=false', '-f', 'stars=10'],
  ]) {
    fake.seen.length = 0
    // What 20.10 knows of `json` alone is that it is a template.
    const format = words.includes('json') ? words.map(word => (word === 'json' ? '{{json .}}' : word)) : words
    const theirs = await daemon.docker('search', ...format, term)
    const asked = fake.seen.filter(({ url }) => url.startsWith('/v1/search'))
    fake.seen.length = 0
    const { status, stdout, stderr } = await runPhyllo(['search', ...words, term], { root })
    assert.deepEqual([status, stdout, stderr], [0, theirs, ''], words.join(' '))
    const ours = fake.seen.filter(({ url }) => url.startsWith('/v1/search'))
    const query = ({ url, headers }: (typeof ours)[number]) => [
      Object.fromEntries(new URL(url, fake.origin).searchParams),
      headers['x-docker-token'],
    ]
    assert.deepEqual(ours.map(query), asked.map(query))
    assert.equal(ours.length, 1)
  }
})

test('what is refused is refused by both', async t => {
  const fake = await FakeRegistry.start(t)
  for (const words of [
    ['--limit', '500', 'x'],
    ['--filter', 'bad=1', 'x'],
    ['--filter', 'is-official=maybe', 'x'],
    ['--filter', 'stars=many', 'x'],
    ['http://x/y'],
  ]) {
    const ours = await runPhyllo(['search', ...words], { root })
    assert.notEqual(ours.status, 0)
    const [, reason = ''] = /((?:Limit|Invalid \w+).*)\n/.exec(ours.stderr) ?? []
    await assert.rejects(daemon.docker('search', ...words), (error: { stderr: string }) => {
      const [, theirs = ''] = /((?:Limit|[Ii]nvalid \w+).*)\n/.exec(error.stderr) ?? []
      assert.equal(plain(reason), plain(theirs))
      return true
    })
  }
  assert.deepEqual(fake.seen, [])
})

/** Docker 20.10 has the values of a filter in brackets, and its first letters now large, now small. */
function plain(reason: string): string {
  return reason
    .toLowerCase()
    .replace(/=\[(.*)\]/, '=$1')
    .replace(/=1'/, "'")
}

test('docker-registry has no search: docker fails, and we show its catalog', async t => {
  const { host } = await dockerRegistry(t)
  await assert.rejects(daemon.docker('search', `${host}/app`), /404/)
  const { status, stdout, stderr } = await runPhyllo(['search', `${host}/app`], { root })
  assert.deepEqual([status, stdout], [0, 'NAME      DESCRIPTION   STARS     OFFICIAL\n'])
  assert.match(stderr, /has no search/)
})
