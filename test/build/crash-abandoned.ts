/** What the dead leave behind: stages, leases, and things that a collector had set aside. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

/** Several processes leave something in the store and are killed. */
export async function abandonStore(root: string): Promise<void> {
  const driver = readdirSync(join(root, 'image'))[0]!
  const below = (directory: string) => readdirSync(join(root, directory)).map(name => join(root, directory, name))
  const layers = below(`image/${driver}/layerdb/sha256`)
  const image = below(`image/${driver}/imagedb/content/sha256`)[0]!
  for (const taken of [layers.slice(0, 2), [image], layers.slice(2)]) {
    const child = fork(new URL('./store-process.js', import.meta.url), [root], { execArgv: [] })
    const exited = once(child, 'exit')
    const ask = async (...command: string[]) => {
      child.send(command)
      const [{ error }] = (await once(child, 'message')) as [{ error?: string }]
      if (error !== undefined) throw new Error(error)
    }
    await ask('open')
    for (let n = 0; n < 3; n++) await ask('stage')
    await ask('lease', `sha256:${'ab'.repeat(32)}`)
    for (const path of taken) await ask('setAside', path)
    child.kill('SIGKILL')
    await exited
  }
}
