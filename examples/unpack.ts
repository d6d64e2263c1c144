/** `node dist/examples/unpack.js`: an image becomes a directory. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Store } from '../src/index.js'

await using store = await Store.temporary()

const box = await store.create('scratch')
await box.promises.mkdir('/etc')
await box.promises.writeFile('/etc/motd', 'hello\n')
await box.promises.symlink('etc/motd', '/motd')
await box.promises.chown('/etc/motd', 1000, 1000)
await box.commit({ tag: 'app:v1' })

const folder = await mkdtemp(join(tmpdir(), 'unpack-'))
const { directory, entries, notSet } = await store.unpack('app:v1', join(folder, 'tree'))
console.log(entries, 'names;', 'motd says', (await readFile(join(directory, 'motd'), 'utf8')).trim())
// As root nothing is missing; as somebody else /etc/motd belongs to who unpacked
for (const [kind, { count, examples }] of Object.entries(notSet)) if (count > 0) console.log(kind, count, ...examples)
await rm(folder, { recursive: true })
