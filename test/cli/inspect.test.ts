/** `phyllo inspect`, `history` and `tag`. Expectations were read off docker 20.10.24 on the same images. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { digestOf, imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'

const root = join(fileScratch(), 'store')
const layer = layerTar({ a: 'x'.repeat(1234) })
const parent: MadeImage = {
  layers: [layer],
  config: { history: [{ created: '2020-01-01T00:00:00Z', created_by: 'ADD <file> /' }] },
}
const app: MadeImage = {
  layers: [layer, layerTar({ b: 'y' })],
  tags: ['app:latest', 'app:v1'],
  config: {
    config: {
      Env: ['PATH=/bin', 'A=<b>'],
      Cmd: ['/bin/sh'],
      Labels: { b: '2', a: '1' },
      ExposedPorts: { '80/tcp': {} },
    },
    history: [
      { created: '2020-01-01T00:00:00Z', created_by: 'ADD <file> /' },
      { created: '2020-02-02T02:02:02Z', created_by: `RUN\t${'long '.repeat(20)}`, comment: 'a <comment>' },
    ],
  },
}
const tool: MadeImage = {
  layers: [layerTar({})],
  tags: ['tool:1'],
  config: {
    history: [
      { created_by: 'CMD', empty_layer: true },
      { created: '1970-01-01T00:00:00Z', created_by: 'old' },
    ],
  },
}
const words = (...args: string[]) => linesOf(args, { root })
const id = (image: MadeImage) => imageIdOf(image)

before(() => storeWith(root, [legacyArchive([parent, app], { 1: imageIdOf(parent) }), legacyArchive([tool])]))

test('inspect prints a list of documents, indented by four; as json in one line', async () => {
  const lines = await words('inspect', 'app', 'tool:1')
  assert.deepEqual(lines.slice(0, 3), ['[', '    {', `        "Id": "${id(app)}",`])
  const documents = JSON.parse(lines.join('\n'))
  assert.deepEqual(
    documents.map(({ Id, RepoTags, Parent, RootFS }: Record<string, unknown>) => [Id, RepoTags, Parent, RootFS]),
    [
      [id(app), ['app:latest', 'app:v1'], id(parent), { Type: 'layers', Layers: app.layers.map(digestOf) }],
      [id(tool), ['tool:1'], '', { Type: 'layers', Layers: tool.layers.map(digestOf) }],
    ],
  )
  const [json, ...more] = await words('inspect', '--format', 'json', 'app', 'tool:1')
  assert.deepEqual([JSON.parse(json!), more], [documents, []])
})

const templates: readonly (readonly [template: string, expected: string])[] = [
  ['{{.Id}}', id(app)],
  ['{{.ID}}', id(app)],
  ['{{.RepoTags}} {{len .RootFS.Layers}}', '[app:latest app:v1] 2'],
  ['{{index .RootFS.Layers 0}}', digestOf(layer)],
  ['{{range .Config.Env}}{{.}};{{end}}', 'PATH=/bin;A=<b>;'],
  ['{{json .Config.Env}}', '["PATH=/bin","A=<b>"]'],
  ['{{.Config.Labels}} {{index .Config.Labels "a"}} {{.Config.Labels.b}}', 'map[a:1 b:2] 1 2'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}', 'a=1 b=2 '],
  ['{{.Config.ExposedPorts}} {{json .Config.ExposedPorts}}', 'map[80/tcp:{}] {"80/tcp":{}}'],
  // What the document leaves out is still there, with its zero value.
  [
    '{{.Config.Healthcheck}}|{{json .Config.Healthcheck}}|{{if .Config.Healthcheck}}yes{{else}}no{{end}}',
    '<nil>|null|no',
  ],
  ['{{.Config.StopSignal}}|{{.Config.Shell}}|{{.ContainerConfig.ExposedPorts}}|{{.Variant}}', '|[]|map[]|'],
  ['{{.Config.Volumes}} {{json .Config.Volumes}} {{.Config.Entrypoint}}', 'map[] null []'],
  [
    '{{join .RepoTags ","}} {{upper .Os}} {{printf "%q %d" .Architecture .Size}}',
    'app:latest,app:v1 LINUX "amd64" 1235',
  ],
  ['{{with .Config}}{{.User}}{{end}}{{if and .Config.Cmd (eq .Os "linux")}}ok{{end}}', 'ok'],
]

test('inspect -f', async () => {
  for (const [template, expected] of templates)
    assert.deepEqual(await words('inspect', '-f', template, 'app'), [expected], template)
  const config = JSON.parse((await words('inspect', '-f', '{{json .Config}}', 'app')).join(''))
  assert.ok(!('Healthcheck' in config) && !('StopTimeout' in config))
})

test('inspect prints those found, then an error for each that is missing, status 1', async () => {
  const ran = await runPhyllo(['inspect', '-f', '{{.Id}}', 'app', 'nope', 'tool:1', 'neither', 'IN VALID'], { root })
  assert.deepEqual([ran.status, ran.stdout], [1, `${id(app)}\n${id(tool)}\n`])
  assert.match(
    ran.stderr,
    /^phyllo: IMAGE_NOT_FOUND: No such object: nope\nphyllo: IMAGE_NOT_FOUND: No such object: neither\nphyllo: REF.*\n$/,
  )
  const none = await runPhyllo(['inspect', 'nope'], { root })
  assert.deepEqual([none.status, none.stdout], [1, '[]\n'])
  const invalid = await runPhyllo(['inspect', 'app', 'IN VALID'], { root })
  assert.deepEqual([invalid.status, JSON.parse(invalid.stdout).length], [1, 1])
  assert.match(invalid.stderr, /^phyllo: REFERENCE_INVALID: [^\n]*\n$/)
})

test('an image goes by its id, by the beginning of its id, with and without sha256:', async () => {
  for (const name of [
    id(app),
    id(app).slice(7),
    id(app).slice(7, 19),
    id(app).slice(0, 15),
    'docker.io/library/app:v1',
  ])
    assert.deepEqual(await words('inspect', '-f', '{{.Id}}', name), [id(app)], name)
  for (const [type, status, said] of [
    ['container', 1, 'CONTAINER_NOT_FOUND: No such container: app'],
    ['volume', 1, 'COMMAND_UNSUPPORTED: inspect --type volume: phyllo has images and containers'],
    ['thing', 2, '"thing" is not a valid value for --type'],
  ] as const) {
    const ran = await runPhyllo(['inspect', '--type', type, 'app'], { root })
    assert.deepEqual([ran.status, ran.stderr], [status, `phyllo: ${said}\n`])
  }
  const sized = await runPhyllo(['inspect', '--type', 'image', '-s', '-f', '{{.Id}}', 'app'], { root })
  assert.deepEqual([sized.stdout, sized.stderr], [`${id(app)}\n`, 'WARNING: --size ignored for image\n'])
  const { status, stderr } = await runPhyllo(['image', 'inspect', 'app', 'nope'], { root })
  assert.deepEqual([status, stderr], [1, 'phyllo: IMAGE_NOT_FOUND: No such image: nope\n'])
})

test('history: newest first, parents by their ids, long commands cut', async () => {
  const [head, newest, oldest, ...more] = await words('history', 'app')
  assert.match(head!, /^IMAGE {10}CREATED +CREATED BY {38}SIZE {6}COMMENT$/)
  assert.match(newest!, new RegExp(`^${id(app).slice(7, 19)} {3}\\d+ years ago {3}RUN (long ){8}…`))
  assert.match(newest!, / {3}1B {8}a <comment>$/)
  assert.match(oldest!, new RegExp(`^${id(parent).slice(7, 19)} {3}\\d+ years ago {3}ADD <file> / {36}1.23kB {4}$`))
  assert.deepEqual(more, [])
})

test('history --no-trunc, -q, -H=false, --format', async () => {
  assert.match((await words('history', '--no-trunc', 'app'))[1]!, new RegExp(`^${id(app)} .* RUN (long ){20} `))
  assert.deepEqual(
    await words('history', '-q', 'app'),
    [id(app), id(parent)].map(full => full.slice(7, 19)),
  )
  assert.deepEqual(await words('history', '-q', '--no-trunc', 'tool:1'), [id(tool), '<missing>'])
  const rows = [
    `${id(tool).slice(7, 19)}   1970-01-01T00:00:00Z   old          0         `,
    '<missing>      0001-01-01T00:00:00Z   CMD          0         ',
  ]
  const head = 'IMAGE          CREATED AT             CREATED BY   SIZE      COMMENT'
  assert.deepEqual(await words('history', '-H=false', 'tool:1'), [head, ...rows])
  assert.deepEqual(await words('history', '--human=false', 'tool:1'), [head, ...rows])
  assert.deepEqual(await words('history', '-H', 'app'), await words('history', 'app'))
  assert.deepEqual(await words('history', '--format', '{{.CreatedSince}}|{{.CreatedBy}}|{{.Size}}', 'tool:1'), [
    'N/A|old|0B',
    'N/A|CMD|0B',
  ])
  const json = (await words('history', '--format', 'json', 'app')).map(line => JSON.parse(line))
  assert.deepEqual(Object.keys(json[0]), ['Comment', 'CreatedAt', 'CreatedBy', 'CreatedSince', 'ID', 'Size'])
  assert.equal(json[0].Comment, 'a <comment>')
})

test('tag gives a name, moves it, and refuses what is none', async () => {
  const idOf = (name: string) => words('inspect', '-f', '{{.Id}}', name)
  assert.deepEqual(await words('tag', 'app:v1', 'moved'), [])
  assert.deepEqual(await idOf('moved:latest'), [id(app)])
  await words('tag', id(tool).slice(7, 19), 'docker.io/library/moved:latest')
  assert.deepEqual(await idOf('moved'), [id(tool)])
  assert.deepEqual(await idOf('app'), [id(app)])
  assert.notDeepEqual(await words('inspect', '-f', '{{.Metadata.LastTagTime}}', 'moved'), ['0001-01-01T00:00:00Z'])
  for (const [source, target, said] of [
    ['app', `app@sha256:${'0'.repeat(64)}`, /REFERENCE_INVALID/],
    ['app', 'sha256', /REFERENCE_INVALID/],
    ['app', 'sha256:tag', /REFERENCE_INVALID/],
    ['app', 'Upper:1', /REFERENCE_INVALID/],
    ['app', 'a'.repeat(300), /REFERENCE_INVALID/],
    ['app', 'f'.repeat(64), /REFERENCE_INVALID/],
    ['nope', 'fine', /IMAGE_NOT_FOUND: No such image: nope:latest/],
  ] as const) {
    const { status, stderr } = await runPhyllo(['tag', source, target], { root })
    assert.equal(status, 1, target)
    assert.match(stderr, said)
    assert.match(stderr, /^phyllo: [^\n]+\n$/)
  }
})
