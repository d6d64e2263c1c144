/**
 * What a root of driver overlay2 says, with everything that is random in it told by what it stands for: two roots that hold the same
 * images are equal, whoever wrote them. Needs root. No daemon should be running on it.
 */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { basename, join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { listDirectory } from './full-listing.js'

/** Path or thing → what it says. */
export type RootFacts = Map<string, string>

const recentMs = 86_400_000

export function rootFacts(root: string): RootFacts {
  const facts: RootFacts = new Map()
  const image = join(root, 'image/overlay2')
  for (const path of [
    '.',
    'image',
    'image/overlay2',
    'image/overlay2/layerdb',
    'image/overlay2/imagedb',
    'overlay2',
    'overlay2/l',
  ])
    facts.set(path, modeOf(join(root, path)))
  facts.set('repositories.json', said(join(image, 'repositories.json')))
  for (const kind of ['content', 'metadata']) {
    const directory = join(image, 'imagedb', kind, 'sha256')
    for (const path of filesBelow(directory)) facts.set(`imagedb/${kind}${path}`, said(join(directory, path)))
  }
  addLayers(root, facts)
  return facts
}

/** What stands in the one and not in the other, or says something else: none, if all is well. */
export function differencesOf(ours: RootFacts, theirs: RootFacts): string[] {
  const keys = new Set([...ours.keys(), ...theirs.keys()])
  return [...keys].sort().flatMap(key => {
    const [one, other] = [ours.get(key), theirs.get(key)]
    if (one === other) return []
    return [`${key}\n${lineDifference(one, other)}`]
  })
}

/** After the last image is gone: facts 10.3. */
export function assertEmptyRoot(root: string): void {
  const image = join(root, 'image/overlay2')
  assert.deepEqual(fs.readdirSync(join(image, 'layerdb/sha256')), [])
  assert.deepEqual(fs.readdirSync(join(image, 'imagedb/content/sha256')), [])
  assert.deepEqual(fs.readdirSync(join(root, 'overlay2')), ['l'])
  assert.deepEqual(fs.readdirSync(join(root, 'overlay2/l')), [])
  assert.equal(fs.readFileSync(join(image, 'repositories.json'), 'utf8'), '{"Repositories":{}}')
}

/** What changes with every command is left out: when something was tagged. */
function filesBelow(directory: string): string[] {
  if (!fs.existsSync(directory)) return []
  return fs
    .readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter(path => fs.statSync(join(directory, path)).isFile() && basename(path) !== 'lastUpdated')
    .map(path => `/${path}`)
}

const modeOf = (path: string): string => {
  const { mode, uid, gid } = fs.lstatSync(path)
  return `${mode.toString(8)} ${uid}:${gid}`
}

const said = (path: string): string => `${modeOf(path)} ${fs.readFileSync(path).toString('latin1')}`

function addLayers(root: string, facts: RootFacts): void {
  const layers = join(root, 'image/overlay2/layerdb/sha256')
  const chains = new Map<string, string>()
  const links = new Map<string, string>()
  for (const chain of fs.readdirSync(layers)) {
    const id = fs.readFileSync(join(layers, chain, 'cache-id'), 'utf8')
    assert.match(id, /^[0-9a-f]{64}$/)
    chains.set(chain, id)
    links.set(fs.readFileSync(join(root, 'overlay2', id, 'link'), 'utf8'), chain)
  }
  assert.equal(links.size, chains.size, 'every layer has a link of its own')
  const known = new Set([...chains.values(), 'l'])
  const others = fs.readdirSync(join(root, 'overlay2')).filter(name => !known.has(name))
  facts.set('directories of nobody', others.join())
  for (const [chain, id] of chains) {
    for (const [name, fact] of recordFacts(join(layers, chain))) facts.set(`layer ${chain} ${name}`, fact)
    for (const [name, fact] of contentFacts(join(root, 'overlay2'), id, links))
      facts.set(`content ${chain} ${name}`, fact)
  }
}

function* recordFacts(directory: string): Generator<[string, string]> {
  yield ['.', modeOf(directory)]
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name)
    if (name === 'cache-id') yield [name, modeOf(path)]
    else if (name !== 'tar-split.json.gz') yield [name, said(path)]
    else yield [name, `${modeOf(path)}\n${splitLines(path).join('\n')}`]
  }
}

/** A last segment without bytes, which older versions write, is left out. */
function splitLines(path: string): string[] {
  const lines = gunzipSync(fs.readFileSync(path)).toString('latin1').split('\n')
  assert.equal(lines.pop(), '')
  return lines.at(-1)?.includes('"payload":""') ? lines.slice(0, -1) : lines
}

function* contentFacts(overlay: string, id: string, links: ReadonlyMap<string, string>): Generator<[string, string]> {
  const directory = join(overlay, id)
  yield ['.', modeOf(directory)]
  for (const name of fs.readdirSync(directory)) {
    const path = join(directory, name)
    if (name === 'link') {
      const link = fs.readFileSync(path, 'utf8')
      assert.match(link, /^[A-Z2-7]{26}$/)
      yield [name, `${modeOf(path)} ${fs.readlinkSync(join(overlay, 'l', link)).replace(id, 'ID')}`]
    } else if (name === 'lower') {
      const lowers = fs.readFileSync(path, 'utf8').split(':')
      yield [name, `${modeOf(path)} ${lowers.map(lower => links.get(lower.replace(/^l\//, ''))).join(':')}`]
    } else if (name === 'diff') yield [name, listDirectory(path, new Set(['/']), { time: told }).join('\n')]
    // The kernel makes a directory in it when it mounts.
    else yield [name, modeOf(path)]
  }
}

/** Directories that no entry speaks of have the time of their making, or none. */
function told(ns: bigint): string {
  const ms = Number(ns / 1_000_000n)
  return ns === 0n || Math.abs(Date.now() - ms) < recentMs ? 'untold' : String(ns)
}

function lineDifference(one = 'not there', other = 'not there'): string {
  const [ours, theirs] = [one.split('\n'), other.split('\n')]
  const [more, missing] = [ours.filter(line => !theirs.includes(line)), theirs.filter(line => !ours.includes(line))]
  const shown = (lines: readonly string[], sign: string) =>
    lines.slice(0, 10).map(line => `  ${sign} ${line.slice(0, 300)}`)
  return [...shown(more, 'ours  '), ...shown(missing, 'theirs')].join('\n')
}
