/** Opens a container of a store, and answers how long that took and how many files are in the directories of its root. */
import { Store } from '../src/index.js'

const [root = '', name = ''] = process.argv.slice(2)
const store = await Store.open(root)
const start = performance.now()
const box = await store.container(name)
const seconds = (performance.now() - start) / 1000
const shown = box.readdirSync('/').reduce((sum, folder) => sum + box.readdirSync(`/${folder}`).length, 0)
console.log(JSON.stringify({ seconds, shown }))
await store.close()
