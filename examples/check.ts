/**
 * `node dist/examples/check.js`: one byte of a layer goes bad. A read never gives it out, a check finds it, and an archive of the image
 * heals it.
 */
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { Store } from '../src/index.js'

await using store = await Store.temporary()
const box = await store.create('scratch')
await box.promises.writeFile('/hello', 'hello, hello, hello\n')
await box.commit({ tag: 'hello:v1' })
await box.remove()
const archive = join(store.root, 'hello.tar')
await store.save('hello:v1', archive)

const layers = join(store.root, 'packed')
const name = (await readdir(layers)).find(file => file.endsWith('.tar.lz4'))
const file = await open(join(layers, String(name)), 'r+')
const [at, byte] = [100, Buffer.alloc(1)]
await file.read(byte, 0, 1, at)
await file.write(Buffer.of(byte[0]! ^ 1), 0, 1, at)
await file.close()

const checking = store.check({ depth: 'full' })
for await (const event of checking)
  if (event.type === 'finding') console.log('found:', event.finding.kind, 'of', event.finding.affects.tags.join(' '))
const { repairs, findings } = await store.repair({ from: archive })
console.log('healed:', repairs.length, 'left:', findings.length)

await using view = await store.view('hello:v1')
console.log(view.readFileSync('/hello', 'utf8').trim())
