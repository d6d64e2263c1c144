/** Another process that has a container open, and writes to it when it is told to, until it is killed. */
import { Store } from '../../src/index.js'

const [root, name] = process.argv.slice(2) as [string, string]
const store = await Store.open(root, { durability: 'none', workers: 0 })
const container = await store.container(name)

process.on('message', async (path: string) => {
  container.writeFileSync(path, 'from elsewhere')
  await container.sync()
  process.send!('written')
})
process.on('disconnect', () => process.exit())
process.send!('open')
