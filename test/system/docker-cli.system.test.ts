/** `history` and `inspect` against the client of docker 20.10 on the same images, and what is meant to differ, with reasons. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BothStores } from '../build/both-stores.js'
import type { Ran } from '../build/cli.js'
import { imageIdOf } from '../build/image.js'
import { parent, unnamed } from '../build/shown-images.js'

const both = new BothStores()

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

for (const words of histories) test(`history ${words.join(' ')}`, () => both.same(['history', ...words]))

test('history in another time zone', () => both.same(['history', '-H=false', 'child:1'], { TZ: 'Asia/Kolkata' }))

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
    const [theirs, ours] = await Promise.all([both.docker(['inspect', ...names]), both.phyllo(['inspect', ...names])])
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
    both.same(
      ['inspect', '-f', template, 'full', 'child:1', 'dead:beef', 'odd:epoch'].slice(
        0,
        template.includes('"a"') ? 4 : 5,
      ),
    ))

test('inspect of several of which some are missing: those found, then status 1', async () => {
  await both.same(['inspect', '-f', '{{.Id}}', 'full', 'nope', 'child:1'])
  await both.same(['inspect', '-f', '{{.Id}}', 'full', 'child:1', 'In Valid'])
  await both.same(['inspect', 'nope'])
  await both.same(['inspect', 'nope', 'In Valid'])
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
    why: 'an image without a date is neither before nor after another: as docker since 23',
    words: ['images', '-f', 'before=aged:days', 'bare'],
    docker: /^.*\nbare .*\n$/,
    phyllo: /^.*\n$/,
  },
  {
    why: '`1` is true, as in docker since 23',
    words: ['images', '-q', '-f', 'dangling=1'],
    docker: /^$/,
    dockerStatus: 1,
    phyllo: /^[0-9a-f]{12}\n$/,
  },
  {
    why: 'a digest that is asked for is shown, also where there is no tag',
    words: ['images', '--format', '{{.Tag}} {{.Digest}}', 'quay.io/alone'],
    docker: /^<none> \n$/,
    phyllo: /^<none> sha256:(ab){32}\n$/,
  },
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
    const [them, us] = [await both.docker(words), await both.phyllo(words)]
    assert.match(them.stdout, theirs)
    assert.match(us.stdout, phyllo)
    assert.deepEqual([them.status, us.status], [dockerStatus, status])
    if (status !== 0) assert.match(us.stderr, /^phyllo: [^\n]+\n$/)
  })
