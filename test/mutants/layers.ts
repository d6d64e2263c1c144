import type { Mutant } from './mutant.js'

const collect = 'src/layers/collect.ts'
const store = 'src/layers/layer-store.ts'
const interleavings = 'test/layers/interleavings.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'look, then lease',
    file: 'test/build/layer-scenes.ts',
    find: "const early = order === 'look, then lease' ?",
    replace: "const early = order !== 'look, then lease' ?",
    test: interleavings,
  },
  {
    name: 'references are read before leases',
    file: collect,
    find: '  const leases = await root.readLeases()\n  const { stacks, chains = [] } = await roots()\n',
    replace: '  const { stacks, chains = [] } = await roots()\n  const leases = await root.readLeases()\n',
    test: interleavings,
  },
  {
    name: 'records are not looked at again before they are condemned',
    file: collect,
    find: 'await mark(collection, known)',
    replace: 'new Set()',
    test: interleavings,
  },
  {
    name: 'leases do not hold contents',
    file: collect,
    find: '  for (const diffId of (await root.readLeases()).diffIds) use(diffId)\n',
    replace: '',
    test: interleavings,
  },
  {
    name: 'the record goes before the content is there',
    file: store,
    find: `    const content = await this.driver.publish({ chainId, diffId, staged, below: below?.cacheId })
    const { cacheId } = content
    const record = { chainId, diffId, sizeBytes, cacheId, ...(parent && { parent }) }
`,
    replace: `    const cacheId = this.driver.cacheIdOf(diffId)!
    const record = { chainId, diffId, sizeBytes, cacheId, ...(parent && { parent }) }
    await this.#publishRecord(record, { beside: [] } as unknown as PublishedContent)
    const content = await this.driver.publish({ chainId, diffId, staged, below: below?.cacheId })
`,
    test: interleavings,
  },
  {
    name: 'content that was not there a moment ago is thrown away',
    file: 'src/drivers/packed/packed-driver.ts',
    find: "return status?.type === 'file' && status.sizeBytes === 0",
    replace: 'return status === undefined || status.sizeBytes === 0',
    // Two adders are what it takes.
    test: 'test/layers/interleavings.system.test.ts',
  },
  {
    name: 'nobody puts back what a collector holds',
    file: 'src/disk/settle.ts',
    find: 'if (root.readOnlyReason === undefined) await root.restore(name)\n  else await',
    replace: 'await',
    test: 'test/layers/collect.test.ts',
  },
  {
    name: 'a record need not be that of its chain',
    file: 'src/layers/record.ts',
    find: 'if (chainIdOf(fields.parent, fields.diffId) === chainId)',
    replace: 'if (chainIdOf(fields.parent, fields.diffId) !== undefined)',
    test: 'test/layers/layer-store.test.ts',
  },
  {
    name: 'a layer goes although its child stays',
    file: collect,
    find: 'keepParents(chainId, records, garbage)',
    replace: 'keepParents(chainId, [], garbage)',
    test: 'test/layers/collect.test.ts',
  },
]
