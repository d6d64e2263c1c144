/** What do the synchronous calls of a view cost, one by one? On app:v1, after a pass that warms; paths come in turn. */
import { Store } from '../src/index.js'
import { inTurn, type MicroCase, runMicro } from './micro.js'
import type { Question } from './questions.js'
import { seeded, shuffled } from './random.js'

const pathsMax = 20_000
const seed = 11

export const question: Question = {
  title: 'calls of a view',
  inputs: ['app'],
  async ask({ input, places, say }) {
    const root = await places.quick.fresh()
    await using store = await Store.open(root, { durability: 'none' })
    await store.load(input('app'))
    await using view = await store.view('app:v1')
    const [files, folders, links]: [string[], string[], string[]] = [[], [], []]
    for await (const { path, type } of view.walk()) {
      if (type === 'file') files.push(path)
      else if (type === 'directory') folders.push(path)
      else if (type === 'symlink') links.push(path)
    }
    const random = seeded(seed)
    const next = (paths: readonly string[]) => inTurn(shuffled(paths, random).slice(0, pathsMax))
    const [file, folder, link] = [next(files), next(folders), next(links)]
    const none = next(files.map(path => `${path}.none`))
    const one = (name: string, run: () => unknown): MicroCase => ({ name, count: 1, run })
    const cases = [
      one('statSync', () => view.statSync(file()).size),
      one('four Dates, which a Stats of Node 20 has', fourDates),
      one('statSync, bigint', () => view.statSync(file(), { bigint: true }).size),
      one('statSync, not there', () => view.statSync(none(), { throwIfNoEntry: false })),
      one('lstatSync of a symlink', () => view.lstatSync(link()).size),
      one('existsSync', () => view.existsSync(file())),
      one('accessSync', () => view.accessSync(file())),
      one('readlinkSync', () => view.readlinkSync(link())),
      one('realpathSync', () => view.realpathSync(file())),
      one('entry', () => view.entry(file())),
      one('readdirSync', () => view.readdirSync(folder())),
      one('openSync and closeSync', () => view.closeSync(view.openSync(file(), 'r'))),
    ]
    say(
      `${files.length} files, ${folders.length} directories, ${links.length} symlinks\n${await runMicro(cases, 'calls')}`,
    )
  },
}

/** Of different times, as V8 would otherwise know them. */
function fourDates(): number {
  const ms = 1.6e12 + Math.floor(performance.now())
  return [new Date(ms), new Date(ms + 1), new Date(ms + 2), new Date(ms + 3)].length
}
