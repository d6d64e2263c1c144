/** How long does it take to remove an image of 1.1 GB for good, its room included? Against dockerd. */
import { contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import { docker, dockerIn } from './peers.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'

const names = { rmi: 'phyllo rmi', dockerRmi: 'docker rmi' } as const

export const question: Question = {
  title: 'remove an image of 1.1 GB, driver packed, from the disk',
  peers: ['dockerd', 'docker'],
  inputs: ['app'],
  async ask({ rounds, places, input, say, report }) {
    const place = places.disk
    await using dockerd = await dockerIn(place)
    const run = (root: string, ...words: string[]) => runProcess(phyllo(root, [...place.options, ...words]))
    const times = await contest(
      [
        inFresh(
          place,
          names.rmi,
          root => run(root, 'rmi', 'app:v1'),
          root => run(root, 'load', '-i', input('app')),
        ),
        {
          name: names.dockerRmi,
          prepare: async () => {
            await docker(dockerd, 'load', '-q', '-i', input('app'))
            await place.settle()
          },
          run: () => docker(dockerd, 'rmi', 'app:v1'),
        },
      ],
      rounds,
    )
    say(`on ${place.fileSystem}; the room is free when the command ends:\n${timesTable(times, names.rmi)}`)
    report('rmi: docker rmi / phyllo rmi', times.ratios(names.dockerRmi, names.rmi))
  },
}
