/** How much does a second core help? Whole loads on one core, by taskset, and on all of them. */
import { availableParallelism } from 'node:os'
import { type Contestant, contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import type { Place } from './places.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'

const inputs = { app: 'app.tar', layer1g: 'one layer of 1 GiB' } as const
const onOne = (what: string) => `${what}, on one core`
const onAll = (what: string) => `${what}, on all cores`

export const question: Question = {
  title: 'what a second core brings',
  peers: ['taskset'],
  inputs: ['app', 'layer1g'],
  async ask({ rounds, input, places, report, say }) {
    if (availableParallelism() < 2) throw new Error('it needs two cores')
    const contestants = Object.entries(inputs).flatMap(([name, what]) => {
      const archive = input(name as keyof typeof inputs)
      return [
        load(places.quick, onOne(what), archive, ['taskset', '-c', '0']),
        load(places.quick, onAll(what), archive, []),
      ]
    })
    const times = await contest(contestants, rounds)
    for (const what of Object.values(inputs)) {
      const names = [onOne(what), onAll(what)]
      say(`${timesTable(times, onAll(what), { names })}
`)
    }
    report('cores: app', times.ratios(onOne(inputs.app), onAll(inputs.app)))
    report('cores: one layer', times.ratios(onOne(inputs.layer1g), onAll(inputs.layer1g)))
  },
}

function load(place: Place, name: string, archive: string, before: readonly string[]): Contestant {
  return inFresh(place, name, root =>
    runProcess([...before, ...phyllo(root, [...place.options, 'load', '-i', archive])]),
  )
}
