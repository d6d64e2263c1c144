/** Words of the command line: which there are, which not yet, and what is said, with which exit status, of wrong ones. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { appArchive } from '../build/app-archive.js'
import { fileScratch, linesOf, runPhyllo, storeWith } from '../build/cli.js'
import { layerTar, legacyArchive } from '../build/image.js'
import { repoRoot } from '../build/repo.js'

const scratch = fileScratch()
const root = join(scratch, 'store')

before(() => storeWith(root, [legacyArchive([{ layers: [layerTar({ a: 'one' })], tags: ['app:v1', 'other:v1'] }])]))

async function fails(status: number, words: readonly string[], said: RegExp): Promise<void> {
  const ran = await runPhyllo(words, { root })
  assert.deepEqual([ran.status, ran.stdout], [status, ''], `${words.join(' ')}: ${ran.stderr}`)
  assert.match(ran.stderr, said)
  assert.match(ran.stderr, /^phyllo: [^\n]+\n$/, 'one line')
}

const wrongWords: readonly (readonly [words: string, said: RegExp])[] = [
  ['frobnicate', /'frobnicate' is not a phyllo command/],
  ['image', /'image' is not a phyllo command/],
  ['image frobnicate', /'image frobnicate' is not a phyllo command/],
  ['system', /'system' is not a phyllo command/],
  ['images --nope', /images: Unknown option '--nope'/],
  ['--nope images', /images: Unknown option '--nope'/],
  ['images -i x', /images: Unknown option '-i'/],
  ['images a b', /images takes at most 1 argument\. Usage: phyllo images /],
  ['inspect', /inspect takes at least 1 argument\. Usage: phyllo inspect /],
  ['history', /history takes exactly 1 argument\./],
  ['history a b', /history takes exactly 1 argument\./],
  ['tag a', /tag takes exactly 2 arguments\./],
  ['tag a b c', /tag takes exactly 2 arguments\./],
  ['cat app:v1', /cat takes at least 2 arguments\./],
  ['ls', /ls takes at least 1 argument\./],
  ['save', /save takes at least 1 argument\./],
  ['load x.tar', /load takes exactly 0 arguments\./],
  ['load -i', /load: Option '-i, --input <value>' argument missing/],
  ['save --format zip app:v1', /save: --format is one of docker-archive, oci-archive, not zip/],
  ['load --format zip', /load: --format is json, not zip/],
  ['tag --format zip a b', /tag: --format is json, not zip/],
  ['images --digests=perhaps', /--digests=perhaps: "perhaps" is not true or false/],
  ['images --compression gzip', /--compression is one of lz4, none, not gzip/],
  ['images --durability half', /--durability is one of full, none, not half/],
  ['images --workers many', /--workers is a whole number from 0 to 1024, not many/],
  ['images --workers=-1', /--workers is a whole number from 0 to 1024, not -1/],
  ['images --driver zfs', /--driver is one of packed, overlay2, not zfs/],
]

for (const [words, said] of wrongWords) test(`usage: phyllo ${words}`, () => fails(2, words.split(' '), said))

const dockerOnly: readonly (readonly [words: string, said: RegExp])[] = [
  ...['build', 'system prune'].map(
    words => [words, new RegExp(`^phyllo: COMMAND_UNSUPPORTED: ${words}: not in this version of phyllo\n$`)] as const,
  ),
  ...['run', 'exec', 'volume', 'compose'].map(
    words =>
      [
        words,
        new RegExp(`^phyllo: COMMAND_UNSUPPORTED: ${words}: phyllo stores images and layers; it does not run`),
      ] as const,
  ),
]

for (const [words, said] of dockerOnly)
  test(`not there yet: phyllo ${words}`, () => fails(1, [...words.split(' '), 'some', '--docker', '-options'], said))

test('failures have status 1 and their code', async () => {
  await fails(1, ['inspect', '-f', '{{.Id}}', 'nope'], /^phyllo: IMAGE_NOT_FOUND: No such object: nope\n$/)
  await fails(1, ['history', 'nope:v1'], /IMAGE_NOT_FOUND/)
  await fails(1, ['ls', 'nope'], /IMAGE_NOT_FOUND: No such image: nope:latest/)
  await fails(1, ['history', 'A b'], /REFERENCE_INVALID/)
  await fails(1, ['load', '-i', join(scratch, 'not there\nat all.tar')], /INPUT_IO.*ENOENT/)
  await fails(1, ['load', '-i', join(repoRoot, 'package.json')], /ARCHIVE_INVALID|TAR_INVALID/)
})

test('templates that are wrong are told in one line, as Go words it', async () => {
  await fails(1, ['images', '--format', '{{'], /template parsing error: template: /)
  await fails(1, ['images', '--format', '{{.Nope}}'], /Nope/)
  await fails(1, ['images', '--format', 'table {{.Repository | nope}}'], /function "nope" not defined/)
  await fails(1, ['history', '--format', '{{end}}', 'app:v1'], /template parsing error/)
  await fails(1, ['inspect', '-f', '{{.Config', 'app:v1'], /template parsing error/)
  await fails(1, ['inspect', '-f', '{{.Config.Nope}}', 'app:v1'], /Nope/)
  await fails(1, ['inspect', '-f', '{{define "a"}}{{end}}', 'app:v1'], /^phyllo: COMMAND_UNSUPPORTED: /)
})

test('every command stands under its management name, too', async () => {
  const same = async (managed: string, short: string) =>
    assert.deepEqual(await linesOf(managed.split(' '), { root }), await linesOf(short.split(' '), { root }), managed)
  await same('image ls', 'images')
  await same('image list -q', 'images -q')
  await same('image inspect app:v1', 'inspect app:v1')
  await same('image history app:v1', 'history app:v1')
  await linesOf(['image', 'tag', 'app:v1', 'managed:v1'], { root })
  await linesOf(['image', 'save', '-q', '-o', join(scratch, 'managed.tar'), 'managed:v1'], { root })
  const loaded = ['image', 'load', '-q', '-i', join(scratch, 'managed.tar')]
  assert.deepEqual(await linesOf(loaded, { root: join(scratch, 'second') }), ['Loaded image: managed:v1'])
})

test('global options stand before or after the command, joined by = or not', async () => {
  const [id] = await linesOf(['images', '-q', 'app'], { root })
  for (const words of [
    ['--root', root, '--quiet', 'images', 'app'],
    [`--root=${root}`, '-q', 'images', 'app'],
    ['images', 'app', '--root', root, '-q'],
    ['--workers', '0', 'images', '--quiet', `--root=${root}`, '--driver', 'packed', 'app'],
    ['image', 'ls', '--quiet=true', 'app', '--root', root],
  ])
    assert.deepEqual(await linesOf(words, {}), [id], words.join(' '))
  assert.equal((await linesOf(['--format', 'json', 'images', 'app', '-q=false'], { root })).length, 1)
})

test('the root is --root, else $PHYLLO_ROOT, else in the XDG data directory, else below the home directory', async () => {
  const tagged = async (env: NodeJS.ProcessEnv, words: readonly string[] = []) => {
    const { status, stdout, stderr } = await runPhyllo([...words, 'load', '-q'], { env, input: appArchive() })
    assert.deepEqual([status, stdout, stderr], [0, 'Loaded image: app:v1\n', ''])
  }
  const images = (dir: string) => linesOf(['images', '--format', '{{.Repository}}'], { root: join(scratch, dir) })
  const HOME = join(scratch, 'home')
  await tagged({ HOME })
  assert.deepEqual(await images('home/.local/share/phyllo'), ['app'])
  await tagged({ HOME: '/nonexistent', XDG_DATA_HOME: join(scratch, 'xdg') })
  assert.deepEqual(await images('xdg/phyllo'), ['app'])
  const PHYLLO_ROOT = join(scratch, 'own')
  await tagged({ HOME: '/nonexistent', XDG_DATA_HOME: '/nonexistent', PHYLLO_ROOT })
  assert.deepEqual(await images('own'), ['app'])
  await tagged({ PHYLLO_ROOT: '/nonexistent' }, ['--root', join(scratch, 'given')])
  assert.deepEqual(await images('given'), ['app'])
})

test('looking into a store that is not there shows an empty one, and makes none', async () => {
  const nowhere = join(scratch, 'nowhere')
  assert.deepEqual(await linesOf(['images'], { root: nowhere }), ['REPOSITORY   TAG       IMAGE ID   CREATED   SIZE'])
  assert.equal((await runPhyllo(['ls', 'app'], { root: nowhere })).status, 1)
  assert.throws(() => readFileSync(nowhere), /ENOENT/)
})

test('help, and the version', async () => {
  const help = await linesOf(['--help'], {})
  assert.deepEqual(help, await linesOf([], {}))
  assert.deepEqual(help, await linesOf(['help'], {}))
  for (const command of ['load', 'save', 'images', 'inspect', 'history', 'tag', 'ls', 'cat', 'version']) {
    assert.ok(
      help.some(line => line.startsWith(`  ${command} `)),
      command,
    )
    const usage = await linesOf([command, '--help'], {})
    assert.match(usage[0] ?? '', new RegExp(`^Usage: phyllo ${command} `))
    if (command === 'tag') assert.deepEqual(await linesOf(['help', command], {}), usage)
  }
  const { version } = JSON.parse(readFileSync(join(repoRoot, 'package.json'), 'utf8'))
  assert.ok((await linesOf(['version'], {})).includes(`phyllo    ${version}`))
  assert.equal(JSON.parse((await linesOf(['version', '--format', 'json'], {})).join('')).phyllo, version)
})
