/**
 * What our command line prints, against the client of docker 20.10 on the same images: the same standard output and the
 * same kind of exit status. What is meant to differ stands in `intended`, with its reason.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { addDigestReference, fileScratch, type Ran, runPhyllo } from '../build/cli.js'
import { type Dockerd, dockerClient, startDockerd } from '../build/dockerd.js'
import { archiveOf, imageIdOf, legacyArchive } from '../build/image.js'
import { readMembers } from '../build/members.js'
import { child, full, named, parent, shownArchives, unnamed } from '../build/shown-images.js'

const scratch = fileScratch()
const root = join(scratch, 'store')
// Short, because the daemon's socket is in it.
const dir = mkdtempSync('/tmp/pc-')
let dockerd: Dockerd

function docker(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise(resolve => {
    const options = { env: { ...process.env, TZ: 'UTC', DOCKER_HOST: dockerd.host, ...env }, maxBuffer: 1 << 26 }
    execFile(dockerClient, words, options, (error, stdout, stderr) =>
      resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    )
  })
}

before(async () => {
  dockerd = await startDockerd(dir)
  const loaded = { docker: '', phyllo: '' }
  for (const [index, members] of shownArchives().entries()) {
    const path = join(scratch, `${index}.tar`)
    writeFileSync(path, archiveOf(members))
    loaded.docker += (await docker(['load', '-i', path])).stdout
    loaded.phyllo += (await runPhyllo(['load', '-i', path], { root })).stdout
  }
  assert.equal(loaded.phyllo, loaded.docker)
  // References by digest come from pulls; both stores have them in a file of the same form.
  await dockerd.stop()
  const digest = `sha256:${'ab'.repeat(32)}`
  for (const file of [join(dockerd.root, 'image/overlay2'), join(root, 'image/packed')].map(d =>
    join(d, 'repositories.json'),
  )) {
    addDigestReference(file, 'full', digest, imageIdOf(full))
    addDigestReference(file, 'full', digest.replaceAll('ab', 'cd'), imageIdOf(full))
    addDigestReference(file, 'pulled/by-digest', digest, imageIdOf(child))
    addDigestReference(file, 'quay.io/alone', digest, imageIdOf(unnamed))
  }
  dockerd = await startDockerd(dir)
})

after(async () => {
  await dockerd.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** Runs both; once more where a minute may have passed in between. */
async function both(words: readonly string[], equal: (docker: Ran, phyllo: Ran) => boolean, env?: NodeJS.ProcessEnv) {
  const runBoth = () => Promise.all([docker(words, env), runPhyllo(words, { root, ...(env && { env }) })])
  const runs = await runBoth()
  return equal(...runs) ? runs : runBoth()
}

const lines = ({ stdout }: Ran) => stdout.split('\n').sort().join('\n')

/** The same lines in any order: docker's own order differs from call to call where dates are equal. */
async function sameLines(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
  const [theirs, ours] = await both(words, (a, b) => lines(a) === lines(b), env)
  assert.deepEqual([ours.status, lines(ours)], [theirs.status, lines(theirs)], `${words.join(' ')}: ${ours.stderr}`)
}

async function same(words: readonly string[], env?: NodeJS.ProcessEnv): Promise<void> {
  const [theirs, ours] = await both(words, (a, b) => a.stdout === b.stdout, env)
  assert.deepEqual([ours.status, ours.stdout], [theirs.status, theirs.stdout], `${words.join(' ')}: ${ours.stderr}`)
}

const allPlaceholders =
  '{{.ID}}|{{.Repository}}|{{.Tag}}|{{.Digest}}|{{.CreatedSince}}|{{.CreatedAt}}|{{.Size}}|{{.VirtualSize}}|{{.Containers}}|{{.SharedSize}}|{{.UniqueSize}}'

const listings: readonly (readonly string[])[] = [
  [],
  ['-a'],
  ['-q'],
  ['-aq'],
  ['-q', '--no-trunc'],
  ['--no-trunc'],
  ['--digests'],
  ['--digests', '--no-trunc'],
  ['--digests=false', '-q=0'],
  ...[
    'full',
    'full:v1',
    'ful*',
    '*/*',
    '*/*/full',
    'someone/full',
    'nope',
    'full:v?',
    'f[a-z]ll',
    'localhost:5000/*',
  ].map(word => [word]),
  ...[
    'dangling=true',
    'dangling=false',
    'dangling=1',
    'label=who',
    'label=who=child',
    'label=who=parent',
    'label=only=',
  ].map(filter => ['-f', filter]),
  ...['reference=someone/*', 'reference=*:v1', 'before=aged:days', 'since=aged:days', 'since=child:1'].map(filter => [
    '-f',
    filter,
  ]),
  ['-f', 'label=aged', '-f', 'since=aged:weeks', '-f', 'reference=aged:h*'],
  ['-a', '-f', 'before=child:1', '-f', 'label=who'],
  ['--format', allPlaceholders],
  ['--format', `table ${allPlaceholders.replaceAll('|', '\\t')}`],
  ['--format', '{{json .}}'],
  ['--format', '{{.Repository}} {{.Tag}}'],
  ['--format', 'table {{.Repository}}:{{.Tag}}\\t{{upper .Size}}\\t{{json .ID}}'],
  ['--format', '{{if eq .Repository "full"}}{{.Tag}}{{else}}-{{end}}'],
  ['--format', 'table'],
  ['--format', ''],
  ['--format', 'raw'],
  ['-q', '--format', 'raw'],
  ['-q', '--format', 'table'],
  ['-q', '--format', '{{.Tag}}'],
  ['--digests', '--format', '{{.Repository}}@{{.Digest}}'],
]

for (const words of listings) test(`images ${words.join(' ')}`, () => sameLines(['images', ...words]))

test('images in other time zones', async () => {
  for (const TZ of ['Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'America/Sao_Paulo', 'Asia/Tokyo'])
    await sameLines(['images', 'aged', '--format', '{{.Tag}} {{.CreatedAt}}'], { TZ })
})

test('images of a filter or a template that is none: nothing printed, status 1', async () => {
  for (const words of [
    ['-f', 'nope=1'],
    ['-f', 'since=nope'],
    ['-f', 'dangling=perhaps'],
    ['--format', '{{'],
    ['--format', '{{.Nope}}'],
    ['--format', '{{nope .ID}}'],
  ])
    await sameLines(['images', ...words])
})

const histories: readonly (readonly string[])[] = [
  ['child:1'],
  ['--no-trunc', 'child:1'],
  ['bare:1'],
  ['dead:beef'],
  ['aged:weeks'],
  ['-q', 'full'],
  ['-q', '--no-trunc', 'full'],
  ['-H=false', 'full'],
  ['--human=false', '--no-trunc', 'full'],
  ['-H', 'child:1'],
  ['--format', '{{.ID}}|{{.CreatedAt}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}', 'full'],
  ['--no-trunc', '--format', '{{.CreatedBy}}', 'full'],
  ['--no-trunc', '--format', 'table {{.ID}}\\t{{.CreatedBy}}\\t{{.Comment}}', 'full'],
  ['--format', '{{json .}}', 'child:1'],
  ['--format', 'table', 'child:1'],
  ['--format', '', 'child:1'],
  ['-q', '--format', '{{.Size}}', 'full'],
  ['nope'],
  ['--format', '{{.Nope}}', 'child:1'],
]

for (const words of histories) test(`history ${words.join(' ')}`, () => same(['history', ...words]))

test('history in another time zone', () => same(['history', '-H=false', 'child:1'], { TZ: 'Asia/Kolkata' }))

/** All but where the content lies, and when it was tagged. */
function comparable(stdout: string): unknown {
  const documents = JSON.parse(stdout) as Record<string, unknown>[]
  return documents.map(({ GraphDriver, Metadata, RepoTags, RepoDigests, ...rest }) => ({
    ...rest,
    tags: [...(RepoTags as string[])].sort(),
    digests: [...(RepoDigests as string[])].sort(),
    keys: [Object.keys(GraphDriver as object), Object.keys(Metadata as object)],
  }))
}

const inspected = [
  'full',
  'bare:1',
  'child:1',
  'dead:beef',
  'aged:hours',
  'sized:999700',
  'odd:zero',
  'odd:zone',
  'odd:before',
]

for (const names of [
  ...inspected.map(name => [name]),
  [imageIdOf(parent)],
  [imageIdOf(unnamed).slice(7, 15)],
  ['full', 'child:1'],
])
  test(`inspect ${names.join(' ')}`, async () => {
    const [theirs, ours] = await Promise.all([
      docker(['inspect', ...names]),
      runPhyllo(['inspect', ...names], { root }),
    ])
    assert.deepEqual(comparable(ours.stdout), comparable(theirs.stdout))
    // The same fields in the same order, in the same form.
    const keys = (ran: Ran) => ran.stdout.match(/^ {8}"\w+"|^[\][{}, ]{1,6}$/gm)
    assert.deepEqual(keys(ours), keys(theirs))
  })

const templates = [
  '{{.Id}}',
  '{{.ID}}',
  '{{.RepoTags}} {{.RepoDigests}}',
  '{{json .Config}}',
  '{{json .ContainerConfig}}',
  '{{json .RootFS}}',
  '{{json .RepoTags}}',
  '{{.Config.Env}}',
  '{{range .Config.Env}}{{println .}}{{end}}',
  '{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{else}}none{{end}}',
  '{{.Config.Labels}} {{json .Config.Labels}} {{index .Config.Labels "a"}} {{.Config.Labels.nope}}',
  '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}',
  '{{.Config.ExposedPorts}} {{json .Config.ExposedPorts}} {{len .Config.ExposedPorts}}',
  '{{.Config.Volumes}} {{json .Config.Volumes}}',
  '{{.Config.Cmd}} {{json .Config.Cmd}} {{.Config.Entrypoint}} {{json .Config.Entrypoint}}',
  '{{if .Config.Healthcheck}}{{.Config.Healthcheck.Test}} {{.Config.Healthcheck.Retries}}{{else}}none{{end}}',
  '{{json .Config.Healthcheck}} {{json .Config.StopTimeout}} {{json .Config.Shell}} {{.Config.Shell}}',
  '{{.Config.StopSignal}}|{{.Config.MacAddress}}|{{.Config.User}}|{{.Config.WorkingDir}}|{{.Config.OnBuild}}',
  '{{.Config.Tty}} {{.Config.ArgsEscaped}} {{.Config.NetworkDisabled}} {{.Config.AttachStdin}}',
  '{{.Created}} {{.Author}} {{.Comment}} {{.DockerVersion}} {{.Container}}',
  '{{.Architecture}}|{{.Variant}}|{{.Os}}|{{.OsVersion}}|{{.Parent}}|{{.Size}}|{{.VirtualSize}}',
  '{{len .RootFS.Layers}} {{index .RootFS.Layers 0}} {{.RootFS.Type}} {{join .RootFS.Layers ","}}',
  '{{with .Config}}{{.Hostname}}{{end}} {{printf "%s %d %v %q" .Os .Size .RepoTags .Architecture}}',
  '{{split .Id ":"}} {{truncate .Id 10}} {{upper .Os}} {{title .Os}} {{pad .Os 2 3}}|',
  '{{eq .Os "linux"}} {{ne .Os "linux"}} {{and .Os .Size}} {{or "" .Os}} {{not .Os}} {{lt .Size 5}}',
  '{{- /* a comment */ -}} {{ .Os -}} x {{- "y" }}',
  '{{slice .Id 7 19}}',
]

for (const template of templates)
  test(`inspect -f '${template}'`, () =>
    same(
      ['inspect', '-f', template, 'full', 'child:1', 'dead:beef', 'odd:epoch'].slice(
        0,
        template.includes('"a"') ? 4 : 5,
      ),
    ))

test('inspect of several of which some are missing: those found, then status 1', async () => {
  await same(['inspect', '-f', '{{.Id}}', 'full', 'nope', 'child:1'])
  await same(['inspect', '-f', '{{.Id}}', 'full', 'child:1', 'In Valid'])
  await same(['inspect', 'nope'])
  await same(['inspect', 'nope', 'In Valid'])
})

/** What a save holds: imageId → tags, number of layers, parent. */
async function saved(run: (words: readonly string[]) => Promise<Ran>, words: readonly string[]) {
  const path = join(scratch, `saved-${Math.random()}.tar`)
  const { status } = await run(['save', '-o', path, ...words])
  if (status !== 0) return status
  const members = await readMembers(readFileSync(path))
  const items = JSON.parse(members.get('manifest.json')!.body.toString()) as Record<string, string & string[]>[]
  rmSync(path)
  return items
    .map(({ Config, RepoTags, Layers, Parent }) => [
      Config!.slice(-69).replace(/.*\/|\.json/g, ''),
      [...(RepoTags ?? [])].sort(),
      Layers!.length,
      Parent ?? '',
    ])
    .sort()
}

test('save: which images and which names the words mean', async () => {
  for (const words of [
    ['full'],
    ['full:v1', 'someone/full:v1'],
    ['full:v1', 'full'],
    ['child:1', imageIdOf(parent).slice(7, 19)],
    [imageIdOf(parent).slice(7)],
    ['dead:beef'],
    [imageIdOf(named).slice(7, 13)],
    ['aged'],
    ['full:v1', 'full:v1', imageIdOf(full)],
    [`full@sha256:${'ab'.repeat(32)}`],
    ['nope'],
    ['full:v1', 'nope'],
    ['UPPER'],
  ]) {
    const ours = await saved(list => runPhyllo(list, { root }), words)
    assert.deepEqual(ours, await saved(docker, words), words.join(' '))
  }
})

test('load: what is printed of names, of none, and of names that move', async () => {
  const scratchRoot = join(scratch, 'loads')
  for (const [index, members] of [
    legacyArchive([{ ...unnamed, tags: [] }]),
    legacyArchive([{ ...named, tags: ['moving:1', 'moving:2'] }]),
    legacyArchive([{ ...child, tags: ['moving:2'] }]),
    legacyArchive([{ ...child, tags: ['tagged:1'] }, unnamed]),
    legacyArchive([unnamed, { ...child, tags: ['tagged:1'] }]),
  ].entries()) {
    const path = join(scratch, `load-${index}.tar`)
    writeFileSync(path, archiveOf(members))
    const theirs = await docker(['load', '-i', path])
    assert.equal(
      (await runPhyllo(['load', '-i', path], { root: scratchRoot })).stdout,
      theirs.stdout,
      `archive ${index}`,
    )
  }
})

test('tag: targets that are refused', async () => {
  for (const target of [
    'fresh',
    'fresh:v1',
    'localhost:5000/x/y:z',
    'docker.io/library/canonical',
    'sha256',
    'sha256:x',
    'Upper',
    'f'.repeat(64),
    `a@sha256:${'0'.repeat(64)}`,
    'a:b:c',
    '',
    '-x',
    'a/-b',
    'x:'.padEnd(131, 't'),
  ]) {
    const [theirs, ours] = [
      await docker(['tag', '--', 'full:v1', target]),
      await runPhyllo(['tag', '--', 'full:v1', target], { root }),
    ]
    assert.equal(ours.status, theirs.status, `${target}: ${theirs.stderr} ${ours.stderr}`)
  }
  await sameLines(['images', '--format', '{{.Repository}}:{{.Tag}} {{.ID}}'])
})

interface Difference {
  readonly why: string
  readonly words: readonly string[]
  readonly docker: RegExp
  readonly dockerStatus?: number
  readonly phyllo: RegExp
  readonly status?: number
}

const intended: readonly Difference[] = [
  {
    why: 'a step from before the year 2000 has no date: as docker since 23, which shows no age of 56 or 292 years',
    words: ['history', '--format', '{{.CreatedSince}}', 'full'],
    docker: /^292 years ago\n.*\n26 years ago\n\d+ years ago\n$/ms,
    phyllo: /^N\/A\n.*\nN\/A\nN\/A\n$/ms,
  },
  {
    why: '`json` is a format, as in docker since 23',
    words: ['history', '--format', 'json', 'bare:1'],
    docker: /^(json\n)*$/,
    phyllo: /^(\{.*\}\n)*$/,
  },
  { why: 'the same', words: ['images', '--format', 'json', 'bare:1'], docker: /^json\n$/, phyllo: /^\{.*\}\n$/ },
  { why: 'the same', words: ['inspect', '-f', 'json', 'bare:1'], docker: /^json\n$/, phyllo: /^\[\{.*\}\]\n$/ },
  {
    why: 'the content lies elsewhere: the driver has another name, and no directories',
    words: ['inspect', '-f', '{{json .GraphDriver}}', 'full'],
    docker: /"Name":"overlay2"/,
    phyllo: /^\{"Data":null,"Name":"packed"\}\n$/,
  },
  {
    why: 'a struct printed as a whole shows what its document has; Go shows addresses of pointers and empty fields',
    words: ['inspect', '-f', '{{.Config}}', 'full'],
    docker: / 0xc000/,
    phyllo: /\[CMD true\]/,
  },
  { why: 'the same', words: ['inspect', '-f', '{{.RootFS}}', 'bare:1'], docker: / \}\n$/, phyllo: /\]\}\n$/ },
  {
    why: 'durations are numbers of nanoseconds, as in the document',
    words: ['inspect', '-f', '{{.Config.Healthcheck.Interval}}', 'full'],
    docker: /^30s\n$/,
    phyllo: /^30000000000\n$/,
  },
  {
    why: 'times are text, as in the document',
    words: ['inspect', '-f', '{{.Metadata.LastTagTime}}', 'dead:beef'],
    docker: /^0001-01-01 00:00:00 \+0000 UTC\n$/,
    phyllo: /^0001-01-01T00:00:00Z\n$/,
  },
  {
    why: 'a template that fails prints nothing, not an empty line',
    words: ['inspect', '-f', '{{.Nope}}', 'full'],
    docker: /^\n$/,
    dockerStatus: 1,
    phyllo: /^$/,
    status: 1,
  },
  {
    why: 'a template that is wrong is a failure like any other',
    words: ['inspect', '-f', '{{', 'full'],
    docker: /^$/,
    dockerStatus: 64,
    phyllo: /^$/,
    status: 1,
  },
  {
    why: 'mistakes in the words have a status of their own',
    words: ['history'],
    docker: /^$/,
    dockerStatus: 1,
    phyllo: /^$/,
    status: 2,
  },
  { why: 'the same', words: ['images', '--nope'], docker: /^$/, dockerStatus: 125, phyllo: /^$/, status: 2 },
]

for (const { why, words, docker: theirs, phyllo, dockerStatus = 0, status = 0 } of intended)
  test(`meant to differ: ${words.join(' ')} (${why})`, async () => {
    const [them, us] = [await docker(words), await runPhyllo(words, { root })]
    assert.match(them.stdout, theirs)
    assert.match(us.stdout, phyllo)
    assert.deepEqual([them.status, us.status], [dockerStatus, status])
    if (status !== 0) assert.match(us.stderr, /^phyllo: [^\n]+\n$/)
  })
