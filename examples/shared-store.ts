/**
 * `node dist/examples/shared-store.js REGISTRY`: two stores that share what they build by a registry (docs/shared-store.md).
 * Each stands for a machine. The first one builds and pushes under a tag made of the chain id, the second one asks for that.
 */
import { type ChainId, type Image, PhylloError, Store } from '../src/index.js'

const [registry = 'localhost:5000'] = process.argv.slice(2)
const chainOf = (image: Image) => image.layers.at(-1)!.chainId
const tagOf = (chainId: ChainId) => `${registry}/cache:${chainId.replace(':', '-')}`

/** The image with those layers, if anybody has pushed it. */
async function cached(store: Store, chainId: ChainId): Promise<Image | undefined> {
  try {
    const image = await store.pull(tagOf(chainId))
    if (chainOf(image) === chainId) return image
    throw new Error(`${tagOf(chainId)} is something else`)
  } catch (error) {
    if (error instanceof PhylloError && error.code === 'REGISTRY_NOT_FOUND') return undefined
    throw error
  }
}

await using builder = await Store.temporary()
const box = await builder.create('scratch')
await box.promises.writeFile('/built', 'once\n')
const built = await box.commit()
await box.remove()
await builder.tag(built.id, tagOf(chainOf(built)))
await builder.push(tagOf(chainOf(built)))
console.log('pushed', built.layers.length, 'layer')

await using other = await Store.temporary()
const found = await cached(other, chainOf(built))
console.log('the same image:', found?.id === built.id)
await using view = await other.view(built.id)
console.log(view.readFileSync('/built', 'utf8').trim())

const unknown = `sha256:${'0'.repeat(64)}` as ChainId
console.log('not built yet:', (await cached(other, unknown)) === undefined)
