/**
 * `node dist/examples/copy.js [ROOT]`: an image is made in one store and copied into another one. With ROOT, as root on Linux, into a
 * store of driver overlay2 there, on which a dockerd can be started.
 */
import { Store } from '../src/index.js'

const [root] = process.argv.slice(2)
await using store = await Store.temporary()
const box = await store.create('scratch')
await box.promises.writeFile('/hello', 'hello\n')
await box.commit({ tag: 'hello:v1' })
await box.remove()

await using target =
  root === undefined ? await Store.temporary({ compression: 'none' }) : await Store.open(root, { driver: 'overlay2' })
const copying = store.copy('hello', target)
for await (const { type, subject } of copying) if (type === 'tag') console.log('copied', subject, 'to', target.driver)
const [image] = await copying
console.log(image?.layers.length, 'layer, the same image:', image?.id === (await store.image('hello:v1'))?.id)

await using view = await target.view('hello:v1')
console.log(view.readFileSync('/hello', 'utf8').trim())
