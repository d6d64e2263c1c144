/** How long does it take to write an image back into an archive? Against dockerd, podman, skopeo, and the hash alone. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Contestant, contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import { docker, dockerIn, podman, skopeoCopy } from './peers.js'
import type { Place } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'

const names = {
  native: 'phyllo save',
  napi: 'phyllo save, lz4-napi alone',
  docker: 'docker save',
  openssl: 'openssl dgst -sha256 of the archive',
} as const

export const question: Question = {
  title: 'save an image of 1.1 GB',
  peers: ['dockerd', 'docker'],
  peersBeside: ['openssl', 'podman', 'skopeo'],
  inputs: ['app'],
  async ask(bench) {
    await askIn(bench, bench.places.quick, true)
    if (bench.beside) await askIn(bench, bench.places.disk, false)
  },
}

async function askIn(bench: Bench, place: Place, forTargets: boolean): Promise<void> {
  const app = bench.input('app')
  await using dockerd = await dockerIn(place)
  await dockerd.docker('load', '-q', '-i', app)
  const root = await place.fresh()
  await runProcess(phyllo(root, [...place.options, 'load', '-i', app]))
  const ours = (to: string, ...options: string[]) =>
    phyllo(root, [...place.options, 'save', ...options, '-o', to, 'app:v1'])
  const contestants: Contestant[] = [
    writer(place, names.native, to => runProcess(ours(to))),
    writer(place, names.docker, to => docker(dockerd, 'save', '-o', to, 'app:v1')),
  ]
  if (bench.beside) {
    contestants.push(
      writer(place, names.napi, to => runProcess(ours(to), { env: { PHYLLO_NATIVE: '0' } })),
      writer(place, 'phyllo save --format oci-archive', to => runProcess(ours(to, '--format', 'oci-archive'))),
    )
    if (forTargets) contestants.push(...(await otherPeers(bench, place, app)))
  }
  const times = await contest(contestants, bench.rounds)
  bench.say(
    `stores and archives on ${place.fileSystem}:\n${timesTable(times, names.native, { bytes: (await stat(app)).size })}\n`,
  )
  if (forTargets) bench.report('save: docker save / phyllo save', times.ratios(names.docker, names.native))
}

/** Writes a new file, which goes away. */
function writer(place: Place, name: string, run: (to: string) => Promise<unknown>): Contestant {
  return inFresh(place, name, folder => run(join(folder, 'out.tar')))
}

async function otherPeers(bench: Bench, place: Place, app: string): Promise<Contestant[]> {
  const found: Contestant[] = []
  if (bench.has('openssl'))
    found.push({ name: names.openssl, run: () => runProcess(['openssl', 'dgst', '-sha256', app]) })
  if (bench.has('skopeo')) {
    const copy = (to: string) => skopeoCopy(`docker-archive:${app}`, `oci-archive:${to}:app:v1`)
    found.push(writer(place, 'skopeo copy to an oci-archive', copy))
  }
  if (bench.has('podman')) {
    const state = await place.fresh()
    await podman(state, 'load', '-q', '-i', app)
    found.push(writer(place, 'podman save', to => podman(state, 'save', '-q', '-o', to, 'app:v1')))
  }
  return found
}
