/** A contestant that works in a new folder each time, which goes away. */
import type { Contestant } from './contest.js'
import { type Place, remove } from './places.js'

/** `fill`: what has to be in the folder before the time runs. */
export function inFresh(
  place: Place,
  name: string,
  run: (folder: string) => Promise<unknown>,
  fill?: (folder: string) => Promise<unknown>,
): Contestant {
  let folder = ''
  return {
    name,
    prepare: async () => {
      folder = await place.fresh()
      await fill?.(folder)
      await place.settle()
    },
    run: () => run(folder),
    tidy: () => remove(folder),
  }
}
