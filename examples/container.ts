/**
 * `node dist/examples/container.js`: a container is made over nothing, written to by node:fs's calls, looked at, and committed;
 * then one over that image.
 */
import { Store } from '../src/index.js'

await using store = await Store.temporary()

const first = await store.create('scratch', { name: 'first', maxBytes: 1_000_000 })
await first.promises.mkdir('/srv/app', { recursive: true })
await first.promises.writeFile('/srv/app/index.js', 'console.log("hello")\n')
await first.promises.symlink('app', '/srv/current')
const image = await first.commit({
  tag: 'app:v1',
  message: 'the first',
  changes: ['CMD ["node", "/srv/app/index.js"]'],
})
console.log('committed', image.tags.join(), image.layers.length, 'layer')
await first.remove()

const second = await store.create('app:v1', { name: 'second' })
await second.promises.appendFile('/srv/current/index.js', 'console.log("again")\n')
await second.promises.rename('/srv/app', '/srv/old')
for (const { kind, path } of second.changes()) console.log(kind, path)
console.log(second.readFileSync('/srv/old/index.js', 'utf8'))
