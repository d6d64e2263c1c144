/** Image configs of commits. The expectations are what dockerd 20.10.24 answered to `docker commit -c …` on a created container. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { commitConfig } from '../../src/images/commit-config.js'
import { defaultLimits } from '../../src/limits.js'
import { type ImageConfig, parseImageConfig } from '../../src/oci/config.js'
import type { DiffId } from '../../src/oci/digest.js'

const created = '2026-11-22T10:43:27.220545033Z'
const diffIds = ['1', '2'].map(digit => `sha256:${digit.repeat(64)}` as DiffId)

/** `docker import` with ENV, LABEL, CMD, EXPOSE, USER, WORKDIR, VOLUME, HEALTHCHECK and ONBUILD. */
const imported = {
  architecture: 'amd64',
  comment: 'Imported from -',
  config: {
    User: 'u',
    ExposedPorts: { '80/tcp': {} },
    Env: ['A=1', 'B=two words'],
    Cmd: ['/bin/sh'],
    Healthcheck: { Test: ['CMD-SHELL', 'echo'], Interval: 5_000_000_000 },
    Volumes: { '/v': {} },
    WorkingDir: '/w',
    Entrypoint: null,
    OnBuild: ['RUN echo hi'],
    Labels: { l1: 'v1' },
  },
  created: '2026-11-22T10:43:26.960295097Z',
  history: [{ created: '2026-11-22T10:43:26.960295097Z', comment: 'Imported from -' }],
  os: 'linux',
  rootfs: { type: 'layers', diff_ids: [diffIds[0]] },
}

function parsed(document: object): ImageConfig {
  return parseImageConfig(Buffer.from(JSON.stringify(document)), { limits: defaultLimits, what: 'test' })
}

const base = parsed(imported)

type Json = { readonly [key: string]: unknown }

function configOf(...changes: string[]): Json {
  const { config } = JSON.parse(commitConfig({ base, diffId: diffIds[1]!, created, changes }).toString()) as {
    config: Json
  }
  return config
}

/** What differs from the config of the container. */
function effect(...changes: string[]): Json {
  const before = configOf()
  return Object.fromEntries(
    Object.entries(configOf(...changes)).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(before[key]),
    ),
  )
}

test('the whole document, byte for byte, less what is not ours to say', () => {
  const container = { id: 'e28ed241ee3b3c4e1d3822c42d937f416c8c6ff512f9e552a3da35a0673c78c1', image: 'base:1' }
  const bytes = commitConfig({ base, diffId: diffIds[1]!, created, author: 'me <m@x>', message: 'msg', container })
  const config =
    '{"Hostname":"e28ed241ee3b","Domainname":"","User":"u","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,' +
    '"ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["A=1","B=two words"],' +
    '"Cmd":["/bin/sh"],"Healthcheck":{"Test":["CMD-SHELL","echo"],"Interval":5000000000},"Image":"base:1",' +
    '"Volumes":{"/v":{}},"WorkingDir":"/w","Entrypoint":null,"OnBuild":null,"Labels":{"l1":"v1"}}'
  assert.equal(
    bytes.toString(),
    `{"architecture":"amd64","author":"me \\u003cm@x\\u003e","config":${config},"container":"${container.id}",` +
      `"container_config":${config},"created":"${created}","history":[{"created":"2026-11-22T10:43:26.960295097Z",` +
      `"comment":"Imported from -"},{"created":"${created}","author":"me \\u003cm@x\\u003e","created_by":"/bin/sh",` +
      `"comment":"msg"}],"os":"linux","rootfs":{"type":"layers","diff_ids":["${diffIds.join('","')}"]}}`,
  )
})

test('without a change of files: one more step of history, and no layer', () => {
  const { history, rootfs } = JSON.parse(commitConfig({ base, diffId: undefined, created }).toString()) as {
    history: Json[]
    rootfs: Json
  }
  assert.deepEqual(history.at(-1), { created, created_by: '/bin/sh', empty_layer: true })
  assert.deepEqual(rootfs, { type: 'layers', diff_ids: [diffIds[0]] })
})

test('from scratch', () => {
  const bytes = commitConfig({
    base: undefined,
    diffId: diffIds[0]!,
    created,
    architecture: 'arm64',
    changes: ['CMD x'],
  })
  const document = parseImageConfig(bytes, { limits: defaultLimits, what: 'test' })
  assert.deepEqual([document.os, document.architecture, document.diffIds], ['linux', 'arm64', [diffIds[0]]])
  assert.deepEqual(document.config!.cmd, ['/bin/sh', '-c', 'x'])
  assert.deepEqual(document.history, [{ created, emptyLayer: false }])
})

const vectors: readonly (readonly [readonly string[], Json])[] = [
  [['CMD echo hi  there'], { Cmd: ['/bin/sh', '-c', 'echo hi  there'] }],
  [['CMD'], { Cmd: ['/bin/sh', '-c'] }],
  [['CMD []'], {}],
  [['ENTRYPOINT'], {}],
  [['ENTRYPOINT []'], {}],
  [['ENTRYPOINT ["a", "b"]'], { Cmd: null, Entrypoint: ['a', 'b'] }],
  [['ENTRYPOINT echo x', 'CMD ["q"]'], { Cmd: ['q'], Entrypoint: ['/bin/sh', '-c', 'echo x'] }],
  [['CMD ["q"]', 'ENTRYPOINT echo x'], { Cmd: ['q'], Entrypoint: ['/bin/sh', '-c', 'echo x'] }],
  [
    [
      String.raw`ENV A=2 C=$B D=${'$'}{A}x E="q $A" F='$A' G=\$A H=${'$'}{NOPE:-dflt} I=${'$'}{A:+plus} J="a\"b" K=a\ b`,
    ],
    {
      Env: [
        ...['A=2', 'B=two words', 'C=two words', 'D=1x', 'E=q 1', 'F=$A', 'G=$A', 'H=dflt', 'I=plus', 'J=a"b', 'K=a b'],
      ],
    },
  ],
  [['ENV OLD some  value  here $B '], { Env: ['A=1', 'B=two words', 'OLD=some  value  here two words'] }],
  [[`ENV A=\${B?x}`], { Env: ['A=two words', 'B=two words'] }],
  [['ENV a=1 \\\n b=2'], { Env: ['A=1', 'B=two words', 'a=1', 'b=2'] }],
  [['env a=b', '# comment', ''], { Env: ['A=1', 'B=two words', 'a=b'] }],
  [
    ['EXPOSE 90 100-102/udp 8080:90', 'EXPOSE $A'],
    {
      ExposedPorts: Object.fromEntries(
        ['1/tcp', '100/udp', '101/udp', '102/udp', '80/tcp', '90/tcp'].map(p => [p, {}]),
      ),
    },
  ],
  [['EXPOSE 0'], { ExposedPorts: { '0/tcp': {}, '80/tcp': {} } }],
  [['LABEL "a b"="c d" e=f', 'LABEL g h i'], { Labels: { 'a b': 'c d', e: 'f', g: 'h i', l1: 'v1' } }],
  [['LABEL a="$A x"'], { Labels: { a: '1 x', l1: 'v1' } }],
  [['VOLUME ["/x","/y z"]', 'VOLUME /p /q'], { Volumes: { '/p': {}, '/q': {}, '/v': {}, '/x': {}, '/y z': {} } }],
  [['WORKDIR rel/../x', 'WORKDIR y'], { WorkingDir: '/w/x/y' }],
  [['WORKDIR "a b"'], { WorkingDir: '/w/a b' }],
  [['USER a:b'], { User: 'a:b' }],
  [['USER a b'], { User: 'a b' }],
  [['USER ""'], {}],
  [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'], Interval: 5_000_000_000 } }],
  [
    ['HEALTHCHECK --interval=1m30s --timeout=2s --retries=3 --start-period=1s CMD ["x","y"]'],
    {
      Healthcheck: {
        ...{ Test: ['CMD', 'x', 'y'], Interval: 90_000_000_000, Timeout: 2_000_000_000 },
        ...{ StartPeriod: 1_000_000_000, Retries: 3 },
      },
    },
  ],
  [['ONBUILD ADD . /', 'ONBUILD CMD x'], { OnBuild: ['ADD . /', 'CMD x'] }],
]

for (const [changes, expected] of vectors)
  test(`docker: ${changes.join(' | ')}`, () => assert.deepEqual(effect(...changes), expected))

const refusals: readonly (readonly [string, string])[] = [
  ['RUN x', 'run is not a valid change command'],
  ['FROM x', 'from is not a valid change command'],
  ['FOO bar', 'foo is not a valid change command'],
  ['ENV', 'ENV requires at least one argument'],
  ['ENV a', 'ENV must have two arguments'],
  ['ENV =b', 'ENV names can not be blank'],
  ['ENV a=b c', `Syntax error - can't find = in "c". Must be of the form: name=value`],
  ['EXPOSE', 'EXPOSE requires at least one argument'],
  ['EXPOSE x', 'Invalid containerPort: x'],
  ['EXPOSE 70000', 'Invalid containerPort: 70000'],
  ['EXPOSE 80-70', 'Invalid containerPort: 80-70'],
  ['EXPOSE 80/foo', 'Invalid proto: foo'],
  ['LABEL', 'LABEL requires at least one argument'],
  ['LABEL a', 'LABEL must have two arguments'],
  ['VOLUME', 'VOLUME requires at least one argument'],
  ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
  ['WORKDIR', 'WORKDIR requires exactly one argument'],
  ['WORKDIR ""', 'cannot normalize nothing'],
  ['USER', 'USER requires exactly one argument'],
  ['HEALTHCHECK', 'HEALTHCHECK requires at least one argument'],
  ['HEALTHCHECK FOO x', 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
  ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
  ['HEALTHCHECK --interval=x CMD y', 'time: invalid duration "x"'],
  ['HEALTHCHECK --interval=100us CMD x', 'Interval "interval" cannot be less than 1ms'],
  ['HEALTHCHECK --foo=1 CMD y', 'Unknown flag: foo'],
  ['HEALTHCHECK --retries=0 CMD x', '--retries must be at least 1 (not 0)'],
  ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
  ['ONBUILD', 'ONBUILD requires at least one argument'],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
  ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['CMD ["a",1]', 'when using JSON array syntax, arrays must be comprised of strings only'],
  ['ENV A=${', `failed to process "\${": syntax error: missing '}'`],
  [
    'ENV A="x',
    String.raw`failed to process "\"x": unexpected end of statement while looking for matching double-quote`,
  ],
]

for (const [change, reason] of refusals)
  test(`docker refuses: ${change}`, () => {
    const isRight = (error: Error & { code?: string; change?: string }) =>
      error.code === 'CHANGE_INVALID' && error.change === change && error.message.endsWith(`: ${reason}`)
    assert.throws(() => configOf(change), isRight)
  })

test('STOPSIGNAL, which newer versions take: numbers and names, nothing else', () => {
  for (const signal of ['SIGTERM', 'kill', '9', 'SIGRTMIN+3', 'RTMAX-2'])
    assert.deepEqual(effect(`STOPSIGNAL ${signal}`), { StopSignal: signal })
  for (const signal of ['0', 'SIGFOO', 'SIGRTMIN+16', '-1'])
    assert.throws(() => configOf(`STOPSIGNAL ${signal}`), { code: 'CHANGE_INVALID', message: /Invalid signal/ })
})

test('all changes are looked at before one is made', () => {
  assert.throws(() => configOf('ENV =b', 'RUN x'), { change: 'RUN x' })
})

test('labels of an image without labels are an empty object, as docker makes them', () => {
  const { config, ...rest } = imported
  const none = parsed(rest)
  const bytes = commitConfig({ base: none, diffId: diffIds[1]!, created })
  const document = JSON.parse(bytes.toString()) as { config: Json }
  assert.deepEqual(document.config.Labels, {})
  assert.ok(config.Labels.l1)
})
