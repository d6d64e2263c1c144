/** How long does it take to read one small file of an image, from the start of a process to its end? */
import { type Contestant, contest } from './contest.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'

/** A process is short: more of them make a steadier median. */
const perRound = 10
const path = 'etc/os-release'
const names = { node: 'node -e 0', cat: `phyllo cat app:v1 /${path}` } as const

export const question: Question = {
  title: 'a whole process that reads one small file',
  peersBeside: ['tar'],
  inputs: ['app'],
  async ask({ rounds, places, beside, has, input, report, say }) {
    const root = await places.quick.fresh()
    await runProcess(phyllo(root, [...places.quick.options, 'load', '-i', input('app')]))
    const content = await runProcess(phyllo(root, ['cat', 'app:v1', `/${path}`]))
    if (!content.includes('PRETTY_NAME')) throw new Error(`/${path} is ${content}`)
    const contestants: Contestant[] = [
      { name: names.node, run: () => runProcess([process.execPath, '-e', '0']) },
      { name: names.cat, run: () => runProcess(phyllo(root, ['cat', 'app:v1', `/${path}`])) },
    ]
    if (beside)
      contestants.push(
        { name: 'phyllo version', run: () => runProcess(phyllo(root, ['version'])) },
        { name: 'phyllo images', run: () => runProcess(phyllo(root, ['images'])) },
      )
    const times = await contest(contestants, rounds * perRound)
    say(timesTable(times, names.node))
    report('startup: phyllo cat / node -e 0', times.ratios(names.cat, names.node))
    if (!beside || !has('tar')) return
    // The file itself is a symlink; what it costs is to find a name in every layer.
    const search = `for layer in $(tar -tf "$0" --wildcards '*/layer.tar'); do tar -xOf "$0" "$layer" | tar -tf - >"$1"; done`
    const scan = {
      name: 'tar: find it in the layers',
      run: () => runProcess(['sh', '-c', search, input('app'), '/dev/null']),
    }
    say(`\n${timesTable(await contest([contestants[1]!, scan], rounds), names.cat)}`)
  },
}
