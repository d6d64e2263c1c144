/** Where the repository and the compiled files are, whatever output folder the tests were compiled into. */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The folder of package.json: sources, README.md, node_modules. */
export const repoRoot = upTo('package.json', here)

/** The folder that the compiled `src/`, `workers/` and `test/` stand in: `dist`, or what `--outDir` said. */
export const compiledRoot = dirname(dirname(here))

function upTo(name: string, dir: string): string {
  if (existsSync(join(dir, name))) return dir
  if (dirname(dir) === dir) throw new Error(`${name} is in no folder above ${here}`)
  return upTo(name, dirname(dir))
}
