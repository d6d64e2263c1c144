/** `node dist/examples/images.js`: a root file system is imported, named, looked at, and removed when nobody needs it any more. */
import { Readable, Writable } from 'node:stream'
import { Store } from '../src/index.js'

await using store = await Store.temporary()
const box = await store.create('scratch')
await box.promises.writeFile('/hello', 'hello\n')
const root: Buffer[] = []
const written = new Writable({
  write: (chunk: Buffer, _, done) => done(void root.push(Buffer.from(chunk))),
})
await box.export(written)
await box.remove()

const changes = ['CMD ["/hello"]', 'LABEL team=a']
const image = await store.import(Readable.from(root), { reference: 'hello:v1', message: 'out of nothing', changes })
for (const { createdBy, comment, sizeBytes } of (await store.history('hello:v1'))!)
  console.log(`${createdBy || '-'}, ${comment}, ${sizeBytes} bytes`)
const { Config } = (await store.inspect('hello:v1')) as { Config: { Cmd: string[]; Labels: object } }
console.log(JSON.stringify(Config.Cmd), JSON.stringify(Config.Labels))

await store.tag('hello:v1', 'hello:v2')
console.log((await store.prune()).removed.length, 'without a name')
console.log((await store.prune({ all: true, filters: ['label!=team=a'] })).removed.length, 'of other teams')
const { removed, reclaimedBytes } = await store.prune({ all: true, filters: ['label=team=a'] })
for (const gone of removed)
  console.log('untagged' in gone ? gone.untagged : gone.deleted === image.id ? 'the image' : 'its layer')
console.log(reclaimedBytes, 'bytes')
