/** What does durability cost a load? Against a load without, and then dd that brings the same bytes to the disk. */
import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { contest } from './contest.js'
import { inFresh } from './in-fresh.js'
import { timesTable } from './print.js'
import { phyllo, runProcess } from './process.js'
import type { Question } from './questions.js'

const names = {
  full: 'phyllo load',
  none: 'phyllo load --durability none, then dd conv=fsync of the same bytes',
} as const

export const question: Question = {
  title: 'load an image of 1.1 GB with durability full',
  inputs: ['app'],
  async ask({ rounds, places, input, say, report }) {
    const place = places.disk
    const load = (root: string, durability: string) =>
      runProcess(phyllo(root, ['--durability', durability, 'load', '-i', input('app')]))
    const bytes = join(await places.quick.fresh(), 'bytes')
    const loaded = await place.fresh()
    await load(loaded, 'none')
    await together(join(loaded, 'packed'), bytes)
    const times = await contest(
      [
        inFresh(place, names.full, root => load(root, 'full')),
        inFresh(place, names.none, async root => {
          await load(root, 'none')
          await runProcess(['dd', `if=${bytes}`, `of=${join(root, 'copy')}`, 'bs=1M', 'conv=fsync', 'status=none'])
        }),
      ],
      rounds,
    )
    const { size } = await stat(bytes)
    say(`on ${place.fileSystem}, ${Math.round(size / 1e6)} MB in the store:\n${timesTable(times, names.full)}`)
    report('load: full / none and dd', times.ratios(names.full, names.none))
  },
}

/** The layer files of a store, one after the other. */
async function together(directory: string, into: string): Promise<void> {
  const files = (await readdir(directory)).filter(name => name.endsWith('.tar.lz4'))
  for (const file of files)
    await pipeline(createReadStream(join(directory, file)), createWriteStream(into, { flags: 'a' }))
}
