/** `inspect` of containers. Expectations were read off docker 20.10.24, on a container that was created with no options. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { imageIdOf, layerTar, legacyArchive, type MadeImage } from '../build/image.js'

const root = join(fileScratch(), 'store')
const app: MadeImage = {
  layers: [layerTar({ a: 'x'.repeat(1234) })],
  tags: ['app:1', 'box:latest'],
  config: { config: { Entrypoint: ['/e'], Cmd: ['a', 'b c'], Labels: { l: 'm' }, ExposedPorts: { '80/tcp': {} } } },
}
const plain: MadeImage = { layers: [layerTar({ p: 'p' })], tags: ['plain:1'], config: { config: {} } }
const words = (...args: string[]) => linesOf(args, { root })
let id = ''

before(async () => {
  await storeWith(root, [legacyArchive([app, plain])])
  id = (await words('create', '--name', 'box', 'app:1'))[0]!
  await words('create', '--name', 'empty', 'scratch')
  await words('create', '--name', 'bare', 'plain:1')
})

test('a container comes before an image of the same name', async () => {
  assert.deepEqual(await words('inspect', '-f', '{{.Id}}', 'box', 'app:1'), [id, imageIdOf(app)])
  assert.deepEqual(await words('inspect', '--type', 'image', '-f', '{{.Id}}', 'box'), [imageIdOf(app)])
  assert.deepEqual(await words('image', 'inspect', '-f', '{{.Id}}', 'box'), [imageIdOf(app)])
  for (const name of [id, id.slice(0, 8), '/box'])
    assert.deepEqual(await words('container', 'inspect', '-f', '{{.Name}}', name), ['/box'])
})

const templates: readonly (readonly [template: string, expected: string])[] = [
  ['{{.Name}} {{.Path}} {{.Args}} {{len .Args}} {{index .Args 1}}', '/box /e [a b c] 2 b c'],
  ['{{.State}}', '{created false false false false false 0 0  0001-01-01T00:00:00Z 0001-01-01T00:00:00Z}'],
  ['{{.State.Status}} {{.State.Running}} {{.State.Health}} {{if .State.Health}}well{{end}}', 'created false <nil> '],
  ['{{.Image}} {{.Config.Image}} {{.Driver}} {{.Platform}}', `${imageIdOf(app)} app:1 packed linux`],
  ['{{.SizeRw}} {{json .SizeRootFs}} {{.ExecIDs}} {{json .Mounts}}', '<nil> null [] []'],
  [
    '{{.Config.Cmd}} {{json .Config.Entrypoint}} {{.Config.Labels.l}} {{.Config.ExposedPorts}}',
    '[a b c] ["/e"] m map[80/tcp:{}]',
  ],
  [
    '{{.HostConfig.NetworkMode}} {{.HostConfig.Binds}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy}}',
    'default [] <nil> {no 0}',
  ],
  [
    '{{.HostConfig.PortBindings}} {{json .HostConfig.Memory}} {{range .HostConfig.ReadonlyPaths}}{{.}},{{end}}',
    'map[] 0 /proc/bus,/proc/fs,/proc/irq,/proc/sys,/proc/sysrq-trigger,',
  ],
  [
    '{{.NetworkSettings.IPAddress}}|{{range $p, $c := .NetworkSettings.Ports}}{{$p}}{{end}}|{{.NetworkSettings.Ports}}',
    '||map[]',
  ],
]

test('inspect -f of a container', async () => {
  for (const [template, expected] of templates)
    assert.deepEqual(await words('inspect', '-f', template, 'box'), [expected], template)
})

test('--size: what is its own, and with its image', async () => {
  await linesOf(['put', 'box', '/new'], { root, input: Buffer.from('12345') })
  assert.deepEqual(await words('inspect', '-s', '-f', '{{.SizeRw}} {{.SizeRootFs}}', 'box', 'empty'), ['5 1239', '0 0'])
  const [document] = JSON.parse((await words('container', 'inspect', '--size', 'box')).join('')) as [object]
  const keys = Object.keys(document)
  assert.deepEqual(keys.slice(keys.indexOf('GraphDriver')), [
    ...['GraphDriver', 'SizeRw', 'SizeRootFs', 'Mounts', 'Config', 'NetworkSettings'],
  ])
})

test('of nothing, and of an image that says nothing', async () => {
  const template = '{{.Image}}|{{.Config.Image}}|{{.Path}}|{{json .Args}}|{{json .Config.Cmd}}|{{json .Config.Labels}}'
  assert.deepEqual(await words('inspect', '-f', template, 'empty', 'bare'), [
    '|scratch||[]|null|{}',
    `${imageIdOf(plain)}|plain:1||[]|null|{}`,
  ])
})

test('a template that one of them has nothing for: the others are shown, status 1', async () => {
  const ran = await runPhyllo(['inspect', '-f', '{{.RepoTags}}', 'app:1', 'box', 'plain:1'], { root })
  assert.deepEqual([ran.status, ran.stdout], [1, '[app:1 box:latest]\n[plain:1]\n'])
  assert.match(ran.stderr, /^phyllo: [^\n]*RepoTags[^\n]*\n$/)
  const beyond = await runPhyllo(['inspect', '-f', '{{define "x"}}{{end}}', 'box'], { root })
  assert.deepEqual([beyond.status, beyond.stdout], [1, ''])
  assert.match(beyond.stderr, /^phyllo: COMMAND_UNSUPPORTED: [^\n]*define[^\n]*\n$/)
})

test('what is no container', async () => {
  const ran = await runPhyllo(['container', 'inspect', 'box', 'app:1', 'nope'], { root })
  assert.deepEqual([ran.status, JSON.parse(ran.stdout).length], [1, 1])
  assert.equal(
    ran.stderr,
    ['app:1', 'nope'].map(name => `phyllo: CONTAINER_NOT_FOUND: No such container: ${name}\n`).join(''),
  )
})
