/**
 * The life of images beside a real dockerd: unused images are removed as it removes them, root file systems are imported as it imports
 * them, containers and images are inspected with its fields, mistakes are told in its words. With both drivers.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { ended, type Ran, runPhyllo } from '../build/cli.js'
import { type Dockerd, dockerClient, startDockerd } from '../build/dockerd.js'
import { archiveOf, imageIdOf, layerTar, legacyArchive } from '../build/image.js'
import { pruneScenes } from '../build/prune-scenes.js'
import { addSceneDigests, expectedOf } from '../build/removal-run.js'
import { type RemovalScene, sceneArchive, spell } from '../build/removal-scenes.js'

// Short, because the daemon's socket is in it.
const scratch = mkdtempSync('/tmp/pl-')
const tree = layerTar({ 'etc/motd': 'hello', 'bin/tool': 'x'.repeat(3000) })
const [tar, tgz] = [join(scratch, 'root.tar'), join(scratch, 'root.tgz')]
let dockerd: Dockerd

before(async () => {
  writeFileSync(tar, tree)
  writeFileSync(tgz, gzipSync(tree))
  dockerd = await startDockerd(join(scratch, 'd'))
})
after(async () => {
  await dockerd.stop()
  rmSync(scratch, { recursive: true, force: true })
})

function docker(words: readonly string[], input: Uint8Array = Buffer.alloc(0)): Promise<Ran> {
  const child = spawn(dockerClient, words, { env: { ...process.env, TZ: 'UTC', DOCKER_HOST: dockerd.host } })
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return ended(child)
}

type Run = (words: readonly string[], input?: Uint8Array) => Promise<Ran>

let stores = 0
/** A new store of ours, of each driver. */
async function ourStores(): Promise<{ readonly driver: string; readonly root: string; readonly run: Run }[]> {
  const made = ['packed', 'overlay2'].map(driver => {
    const root = join(scratch, `s${stores++}`)
    const run: Run = (words, input) => runPhyllo(words, { root, ...(input && { input }) })
    return { driver, root, run, options: ['--driver', driver, '--durability', 'none'] }
  })
  for (const { run, options } of made) assert.equal((await run([...options, 'image', 'prune', '-f'])).status, 0)
  return made
}

async function emptyDocker(): Promise<void> {
  const list = async (words: string[]) => (await docker(words)).stdout.split('\n').filter(Boolean)
  for (const box of await list(['ps', '-aq'])) await docker(['rm', '-f', box])
  // A parent goes only after its children.
  for (let ids = await list(['images', '-aq']); ids.length > 0; ids = await list(['images', '-aq']))
    await docker(['rmi', '-f', ...new Set(ids)])
}

const survivors = [
  'images',
  '-a',
  '--no-trunc',
  '--digests',
  '--format',
  '{{.ID}} {{.Repository}}:{{.Tag}}@{{.Digest}} {{.Size}}',
]
const lines = (text: string) => text.split('\n').filter(Boolean).sort()

async function loadScene(scene: RemovalScene, run: Run): Promise<void> {
  const archive = join(scratch, 'scene.tar')
  writeFileSync(archive, archiveOf(sceneArchive(scene)))
  await run(['load', '-i', archive])
  for (const image of scene.containers ?? [])
    await run(run === docker ? ['create', image, 'nothing'] : ['create', image])
}

for (const scene of pruneScenes)
  test(`image prune: ${scene.name}`, async () => {
    await emptyDocker()
    await loadScene(scene, docker)
    const ours = await ourStores()
    for (const { run } of ours) await loadScene(scene, run)
    if (scene.digests !== undefined) {
      await dockerd.stop()
      addSceneDigests(scene, join(dockerd.root, 'image/overlay2/repositories.json'))
      for (const { driver, root } of ours) addSceneDigests(scene, join(root, 'image', driver, 'repositories.json'))
      dockerd = await startDockerd(join(scratch, 'd'))
    }
    for (const step of scene.steps) {
      const words = step.run.map(word => spell(scene, word))
      const expected = { status: 0, prints: [...expectedOf(scene, step).prints].sort() }
      const left = async (run: Run) => lines((await run(survivors)).stdout)
      const theirs = await docker(words)
      assert.deepEqual({ status: theirs.status, prints: lines(theirs.stdout) }, expected, `docker: ${words.join(' ')}`)
      const stays = await left(docker)
      for (const { driver, run } of ours) {
        const { status, stdout } = await run(words)
        assert.deepEqual({ status, prints: lines(stdout) }, expected, `driver ${driver}: ${words.join(' ')}`)
        assert.deepEqual(await left(run), stays, `driver ${driver}: what is left`)
      }
    }
  })

test('image prune asks first: only y is yes', async () => {
  const [ours] = await ourStores()
  await emptyDocker()
  for (const answer of ['n\n', '', 'yes\n', 'y', 'Y\nn\n'])
    for (const options of [[], ['-a']]) {
      for (const run of [docker, ours!.run])
        for (const message of ['first', 'second']) {
          const { status, stderr } = await run(['import', '-m', message, tar, 'asked:1'])
          assert.deepEqual([status, stderr], [0, ''])
        }
      const words = ['image', 'prune', ...options]
      const seen = async (run: Run) => {
        const { status, stdout } = await run(words, Buffer.from(answer))
        const names = (await run(['images', '--format', '{{.Repository}} {{.Size}}'])).stdout
        return { status, said: lines(stdout.replaceAll(/sha256:[0-9a-f]{64}/g, 'ID')), names: lines(names) }
      }
      assert.deepEqual(await seen(ours!.run), await seen(docker), `${words.join(' ')}: ${JSON.stringify(answer)}`)
    }
})

const ids = async (run: Run) => lines((await run(['images', '-aq', '--no-trunc'])).stdout)

/** All of a config that is not of the moment or of the daemon. */
function comparableConfig(stdout: string): unknown {
  const [document] = JSON.parse(stdout) as Record<string, unknown>[]
  const { Id, Created, DockerVersion, GraphDriver, Metadata, ...rest } = document!
  return { ...rest, tagged: (Metadata as { LastTagTime: string }).LastTagTime > '0002', keys: Object.keys(document!) }
}

test('import: the same image, whatever is said with it', async () => {
  const server = createServer((_, response) => void response.end(gzipSync(tree)))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/a/root.tgz`
  await emptyDocker()
  const ours = await ourStores()
  const cases: readonly (readonly [words: readonly string[], input?: Uint8Array])[] = [
    [[tar]],
    [[tgz, 'app']],
    [['-', 'registry.example.com:5000/team/app:v1'], tree],
    [['-m', 'a <message> & more', '-', 'said:1'], gzipSync(tree)],
    [['-c', 'CMD ["a", "b"]', '-c', 'ENV A=b C="d e"', '--change', 'EXPOSE 80 53/udp', tar]],
    [
      [
        '-c',
        'ENTRYPOINT run it',
        '-c',
        'USER 1:2',
        '-c',
        'WORKDIR a',
        '-c',
        'VOLUME /v',
        '-c',
        'LABEL a=b c=$HOME',
        tar,
      ],
    ],
    [['-c', 'HEALTHCHECK --retries=3 CMD true', '-c', 'ONBUILD RUN x', tar]],
    [['--platform', 'linux', tar]],
    [['-'], Buffer.alloc(0)],
    [['-'], Buffer.alloc(10_240)],
    [[url, 'fetched:1']],
  ]
  for (const [words, input] of cases) {
    const said = words.join(' ')
    const theirs = await docker(['import', ...words], input)
    assert.equal(theirs.status, 0, theirs.stderr)
    // Of a URL the client tells, on standard output, what it is doing.
    const expected = comparableConfig((await docker(['inspect', lines(theirs.stdout).at(-1)!])).stdout)
    for (const { driver, run } of ours) {
      const { status, stdout } = await run(['import', ...words], input)
      assert.equal(status, 0, said)
      assert.match(stdout, /^sha256:[0-9a-f]{64}\n$/)
      assert.deepEqual(comparableConfig((await run(['inspect', stdout.trim()])).stdout), expected, `${driver}: ${said}`)
    }
  }
  await new Promise(resolve => server.close(resolve))
})

test('what was imported goes to a dockerd and comes from one', async () => {
  const [ours] = await ourStores()
  await emptyDocker()
  await ours!.run(['import', '-c', 'CMD ["x"]', tgz, 'mine:1'])
  const archive = join(scratch, 'mine.tar')
  await ours!.run(['save', '-o', archive, 'mine:1'])
  assert.equal((await docker(['load', '-i', archive])).stdout, 'Loaded image: mine:1\n')
  assert.deepEqual(await ids(docker), await ids(ours!.run))
})

/** Config and host apart, of which our containers have nothing to say. */
function comparableContainer(stdout: string): unknown {
  const [document] = JSON.parse(stdout) as Record<string, Record<string, unknown>>[]
  const { Id, Created, Driver, GraphDriver, HostConfig, NetworkSettings, Config, ...rest } = document!
  const { CgroupnsMode, Runtime, ...host } = HostConfig!
  const { Hostname, AttachStdout, AttachStderr, ...config } = Config!
  const { Networks, ...network } = NetworkSettings!
  return { ...rest, host, config, network, keys: Object.keys(document!), configKeys: Object.keys(Config!) }
}

test('inspect of containers: the same fields in the same order, with the same values', async () => {
  await emptyDocker()
  const ours = await ourStores()
  const words = [
    '-c',
    'ENTRYPOINT ["/e"]',
    '-c',
    'CMD ["a", "b c"]',
    '-c',
    'LABEL z=1 a=2',
    '-c',
    'EXPOSE 80',
    '-c',
    'ENV E=f',
  ]
  const all = [{ driver: 'docker', run: docker }, ...ours]
  for (const { run } of all) {
    await run(['import', ...words, '-m', 'it', tar, 'app:1'])
    await run(['import', '-c', 'CMD ["only"]', tar, 'plain:1'])
    for (const [name, image] of [
      ['box', 'app:1'],
      ['bare', 'plain:1'],
    ]) {
      const { status, stderr } = await run(['create', '--name', name!, image!])
      assert.equal(status, 0, stderr)
    }
  }
  // When an image was made is part of its id.
  const plain = (text: string) => text.replaceAll(/sha256:[0-9a-f]{64}/g, 'ID')
  for (const name of ['box', 'bare'])
    for (const size of [[], ['-s']]) {
      const inspected = async (run: Run) =>
        comparableContainer(plain((await run(['container', 'inspect', ...size, name])).stdout))
      const theirs = await inspected(docker)
      for (const { driver, run } of ours)
        assert.deepEqual(await inspected(run), theirs, `${driver}: ${name} ${size.join('')}`)
    }
  for (const template of [
    '{{.Name}} {{.Path}} {{.Args}} {{.Image}} {{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}',
    '{{json .State}} {{.State.Health}}',
    '{{.SizeRw}} {{json .SizeRootFs}} {{.ExecIDs}} {{.Mounts}}',
    '{{json .Config.Labels}} {{range $k, $v := .Config.Labels}}{{$k}}={{$v}} {{end}}{{index .Config.Cmd 0}} {{len .Args}}',
    '{{.HostConfig.NetworkMode}} {{json .HostConfig.Binds}} {{.HostConfig.Binds}} {{.HostConfig.PortBindings}}',
    '{{.HostConfig.RestartPolicy.Name}} {{json .HostConfig.LogConfig}} {{.HostConfig.PidsLimit}}',
    '{{join .Config.Env ","}} {{.NetworkSettings.IPAddress}}|{{.NetworkSettings.Ports}}|{{json .NetworkSettings.Ports}}',
    '{{.RepoTags}}',
    '{{.Nope}}',
  ])
    for (const names of [['bare', 'box']]) {
      const inspected = async (run: Run) => {
        const { status, stdout } = await run(['inspect', '-f', template, ...names])
        return { status, stdout: plain(stdout).trim() }
      }
      const theirs = await inspected(docker)
      for (const { driver, run } of ours) assert.deepEqual(await inspected(run), theirs, `${driver}: ${template}`)
    }
})

/** What is said of a mistake, without the program's own words in front. */
function told({ status, stdout, stderr }: Ran) {
  const own = /^(?:Error response from daemon: |Error: |phyllo: (?:[A-Z_]+: )?)/
  return { status, stdout, stderr: lines(stderr).map(line => line.replace(own, '')) }
}

test('mistakes are told in the same words', async () => {
  await emptyDocker()
  const ours = await ourStores()
  for (const { run } of [{ run: docker }, ...ours]) {
    await run(['import', tar, 'app:1'])
    await run(['create', '--name', 'box', 'app:1', ...(run === docker ? ['x'] : [])])
  }
  const digest = `a@sha256:${'0'.repeat(64)}`
  for (const words of [
    ['inspect', 'nope'],
    ['inspect', 'nope', 'neither'],
    ['image', 'inspect', 'nope', 'box'],
    ['container', 'inspect', 'nope', 'app:1'],
    ['inspect', '--type', 'image', 'box'],
    ['inspect', '--type', 'container', 'app:1'],
    ['history', 'nope'],
    ['history', digest],
    ['tag', 'nope', 'x'],
    ['rmi', 'nope'],
    ['rmi', digest],
    ['rmi', '-f', 'nope'],
    ['image', 'rm', '-f', 'nope', 'neither'],
    ['images', '-f', 'before=nope'],
    ['images', '-f', 'since=nope:1'],
    ['image', 'prune', '-f', '--filter', 'until=1h', '--filter', 'until=2h'],
  ]) {
    const theirs = told(await docker(words))
    for (const { driver, run } of ours)
      assert.deepEqual(told(await run(words)), theirs, `${driver}: ${words.join(' ')}`)
  }
})

test('history: parents by their ids, as long as they are there', async () => {
  await emptyDocker()
  const ours = await ourStores()
  const step = (created_by: string) => ({ created: '2020-01-02T03:04:05Z', created_by })
  const made = ['one', 'two', 'three'].map((_, at, names) => ({
    layers: names.slice(0, at + 1).map(layer => layerTar({ [layer]: layer })),
    tags: at === 2 ? ['line:3'] : at === 1 ? ['line:2'] : [],
    config: { history: names.slice(0, at + 1).map(step) },
  }))
  const archive = join(scratch, 'line.tar')
  writeFileSync(archive, archiveOf(legacyArchive(made, { 1: imageIdOf(made[0]!), 2: imageIdOf(made[1]!) })))
  const shows = async (run: Run) => (await run(['history', '--no-trunc', 'line:3'])).stdout
  for (const { run } of [{ run: docker }, ...ours]) await run(['load', '-i', archive])
  for (const { run } of ours) assert.equal(await shows(run), await shows(docker))
  assert.equal(lines(await shows(docker)).filter(line => line.startsWith('sha256:')).length, 3)
  // Its parent goes as far as a name does: it is needed.
  for (const { run } of [{ run: docker }, ...ours]) await run(['rmi', 'line:2'])
  for (const { run } of ours) assert.equal(await shows(run), await shows(docker))
})
