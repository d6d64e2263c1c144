/** How long does it take to pull a real image from a registry on this machine? Against dockerd and podman. */
import { Store } from '../src/index.js'
import { type Contestant, contest } from './contest.js'
import { delayDuring } from './event-loop.js'
import { inFresh } from './in-fresh.js'
import { docker, dockerIn, podman, skopeoCopy } from './peers.js'
import { type Place, remove } from './places.js'
import { timesTable } from './print.js'
import { peakMemory, phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'
import { countingProxy, registryIn } from './registry.js'

const names = { ours: 'phyllo pull', docker: 'docker pull', podman: 'podman pull' } as const

/** A process that finds nothing to do is short. */
const againPerRound = 5

export const question: Question = {
  title: 'pull an image of 1.1 GB from a registry on loopback',
  peers: ['dockerd', 'docker', 'podman', 'skopeo', 'docker-registry'],
  inputs: ['app'],
  async ask(bench) {
    const place = bench.places.quick
    await using registry = await registryIn(place)
    const image = `${registry.host}/app:v1`
    await skopeoCopy(`docker-archive:${bench.input('app')}`, `docker://${image}`)
    await againsts(bench, place, image)
    await alone(bench, place, image)
    await using proxy = await countingProxy(registry)
    await again(bench, place, `${proxy.host}/app:v1`, proxy.count)
  },
}

/** Both stores empty each round. */
async function againsts(bench: Bench, place: Place, image: string): Promise<void> {
  await using dockerd = await dockerIn(place)
  let folder = ''
  const contestants: Contestant[] = [
    inFresh(place, names.ours, root => runProcess(pull(root, place, image))),
    {
      name: names.docker,
      prepare: place.settle,
      run: () => docker(dockerd, 'pull', '-q', image),
      tidy: () => dockerd.docker('rmi', '-f', image),
    },
    {
      name: names.podman,
      prepare: async () => {
        folder = await place.fresh()
        await place.settle()
      },
      run: () => podman(folder, 'pull', '-q', '--tls-verify=false', image),
      tidy: async () => {
        await podman(folder, 'system', 'reset', '-f')
        await remove(folder)
      },
    },
  ]
  const times = await contest(contestants, bench.rounds)
  bench.say(`stores and data roots on ${place.fileSystem}:\n${timesTable(times, names.ours)}\n`)
  bench.report('pull: docker pull / phyllo pull', times.ratios(names.docker, names.ours))
  bench.report('pull: podman pull / phyllo pull', times.ratios(names.podman, names.ours))
}

function pull(root: string, place: Place, image: string): string[] {
  return phyllo(root, [...place.options, 'pull', '-q', image])
}

/** What a pull takes of the process that it runs in. */
async function alone(bench: Bench, place: Place, image: string): Promise<void> {
  const [peaks, delays]: [number[], number[]] = [[], []]
  for (let round = 0; round < bench.rounds; round++) {
    const root = await place.fresh()
    peaks.push(await peakMemory(root, [...place.options, 'pull', '-q', image]))
    await remove(root)
    const other = await place.fresh()
    const store = await Store.open(other, { durability: place.options.length > 0 ? 'none' : 'full' })
    delays.push((await delayDuring(() => Promise.resolve(store.pull(image)))).p99)
    await store.close()
    await remove(other)
  }
  bench.report('pull: peak memory', peaks)
  bench.report('event loop: pull, p99', delays)
}

async function again(bench: Bench, place: Place, image: string, count: () => number): Promise<void> {
  const root = await place.fresh()
  await runProcess(pull(root, place, image))
  const requests: number[] = []
  const name = 'phyllo pull, all there'
  const run = async () => {
    const before = count()
    await runProcess(pull(root, place, image))
    requests.push(count() - before)
  }
  const times = await contest([{ name, run }], bench.rounds * againPerRound)
  bench.say(timesTable(times, name))
  bench.report('pull: again', times.seconds(name))
  bench.report('pull: again, requests', requests)
  await remove(root)
}
