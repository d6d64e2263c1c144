/** How long does it take to send an image to a registry that has nothing of it? Against dockerd and skopeo, to Debian's docker-registry. */
import { join } from 'node:path'
import { Store } from '../src/index.js'
import { dockerRegistry, freeAddress } from '../test/build/docker-registry.js'
import { type Contestant, contest } from './contest.js'
import { delayDuring } from './event-loop.js'
import { docker, dockerIn, skopeoCopy } from './peers.js'
import { type Place, remove } from './places.js'
import { figure, table, timesTable } from './print.js'
import { peakMemory, phyllo, runProcess } from './process.js'
import type { Bench, Question } from './questions.js'
import type { Unit } from './targets.js'

const names = { phyllo: 'phyllo push', docker: 'docker push', skopeo: 'skopeo copy from a directory' } as const

export const question: Question = {
  title: 'push an image of 1.1 GB to an empty docker-registry on this machine, gzip of level 6',
  peers: ['docker-registry', 'dockerd', 'docker', 'skopeo'],
  inputs: ['app'],
  async ask(bench) {
    const place = bench.places.quick
    const app = bench.input('app')
    const registry = new EmptyRegistry(place, await freeAddress())
    const name = `${registry.host}/bench/app:v1`
    await using dockerd = await dockerIn(place)
    await dockerd.docker('load', '-q', '-i', app)
    await dockerd.docker('tag', 'app:v1', name)
    const root = await place.fresh()
    await runProcess(phyllo(root, [...place.options, 'load', '-i', app]))
    await runProcess(phyllo(root, ['tag', 'app:v1', name]))
    const layers = join(await place.fresh(), 'layers')
    await skopeoCopy(`docker-archive:${app}`, `dir:${layers}`)
    const forget = () => remove(join(root, 'image/packed/distribution'))
    const push = [...place.options, 'push', name]
    const times = await contest(
      [
        registry.contestant(names.phyllo, () => runProcess(phyllo(root, push)), forget),
        registry.contestant(
          names.docker,
          () => docker(dockerd, 'push', '-q', name),
          () => remove(join(dockerd.root, 'image/overlay2/distribution')),
        ),
        registry.contestant(names.skopeo, () => skopeoCopy(`dir:${layers}`, `docker://${name}`)),
      ],
      bench.rounds,
    )
    bench.say(`stores and registry on ${place.fileSystem}:\n${timesTable(times, names.phyllo)}\n`)
    bench.report('push: docker push / phyllo push', times.ratios(names.docker, names.phyllo))
    bench.report('push: skopeo copy / phyllo push', times.ratios(names.skopeo, names.phyllo))
    await costs(bench, { registry, root, name, push, forget })
  },
}

interface Pushing {
  readonly registry: EmptyRegistry
  readonly root: string
  readonly name: string
  readonly push: readonly string[]
  readonly forget: () => Promise<void>
}

async function costs(bench: Bench, { registry, root, name, push, forget }: Pushing): Promise<void> {
  const [memory, p99]: [number[], number[]] = [[], []]
  for (let round = 0; round < bench.rounds; round++) {
    await forget()
    await registry.during(async () => void memory.push(await peakMemory(root, push)))
    await forget()
    await registry.during(async () => {
      await using store = await Store.open(root)
      p99.push((await delayDuring(() => Promise.resolve(store.push(name)))).p99)
    })
  }
  const row = (what: string, unit: Unit, values: readonly number[]) => [what, ...values.map(v => figure(v, unit))]
  const heads = ['', ...memory.map((_, round) => `round ${round + 1}`)]
  bench.say(table(heads, [row('peak memory', 'MB', memory), row('event loop, p99', 'ms', p99)]))
  bench.report('push: peak memory', memory)
  bench.report('event loop: push, p99', p99)
}

/** One that has nothing yet, at the same address each time. */
class EmptyRegistry {
  readonly host: string
  readonly #place: Place
  #ends: (() => unknown)[] = []

  constructor(place: Place, host: string) {
    this.#place = place
    this.host = host
  }

  contestant(name: string, run: () => Promise<unknown>, forget?: () => Promise<unknown>): Contestant {
    return {
      name,
      prepare: async () => {
        await forget?.()
        await this.#start()
      },
      run,
      tidy: () => this.#end(),
    }
  }

  async during(work: () => Promise<void>): Promise<void> {
    await this.#start()
    try {
      await work()
    } finally {
      await this.#end()
    }
  }

  async #start(): Promise<void> {
    const ending = { after: (work: () => unknown) => void this.#ends.push(work) }
    await dockerRegistry(ending, { files: true, within: this.#place.path, at: this.host })
    await this.#place.settle()
  }

  async #end(): Promise<void> {
    for (let end = this.#ends.pop(); end !== undefined; end = this.#ends.pop()) await end()
  }
}
