/** `node dist/examples/pull.js [NAME[:TAG|@DIGEST]]`: an image comes from its registry, is looked into, and is up to date when it is asked for again. */
import { Store } from '../src/index.js'

const [name = 'alpine:latest'] = process.argv.slice(2)
await using store = await Store.temporary({ blobs: 'keep' })

const pull = store.pull(name)
for await (const event of pull) {
  if (event.type === 'layer') console.log(`${event.subject}: ${event.message}`)
  if (event.type === 'status') console.log(event.message)
}
const image = await pull
console.log(image.id, image.digests.join())
console.log(`${pull.report.bytesRead} of ${pull.report.bytesToFetch} bytes fetched`)

await using view = await store.view(name)
console.log(view.readdirSync('/').join())

const again = store.pull(name)
await again
console.log(`${again.report.bytesRead} bytes fetched`)
