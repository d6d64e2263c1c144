import type { Mutant } from './mutant.js'

const mirrors = 'test/distribution/mirrors.test.ts'
const daemon = 'test/distribution/daemon-json.test.ts'
const login = 'test/distribution/login.test.ts'
const search = 'test/distribution/search.test.ts'
const copy = 'test/distribution/copy-remote.test.ts'
const leaks = 'test/distribution/leaks.test.ts'
const cli = 'test/cli/registries.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'mirrors of Docker Hub are everybody’s',
    file: 'src/distribution/mirrors.ts',
    find: 'return longest === undefined ? [] :',
    replace: "return longest === undefined ? (this.#exact.get('docker.io') ?? []) :",
    test: mirrors,
  },
  {
    name: 'any wildcard that matches decides',
    file: 'src/distribution/mirrors.ts',
    find: '.sort((a, b) => b.length - a.length)[0]',
    replace: '[0]',
    test: mirrors,
  },
  {
    name: 'a wildcard matches the end of a name',
    file: 'src/distribution/mirrors.ts',
    find: 'host.endsWith(tail) && ',
    replace: 'host.endsWith(tail.slice(1)) && ',
    test: mirrors,
  },
  {
    name: 'a full disk is a mirror’s fault',
    file: 'src/distribution/mirrors.ts',
    find: "'LIMIT_EXCEEDED', 'COMPRESSION_INVALID'",
    replace: "'LIMIT_EXCEEDED', 'DISK_FULL', 'COMPRESSION_INVALID'",
    test: mirrors,
  },
  {
    name: 'after a cancel the next endpoint is asked',
    file: 'src/distribution/plan.ts',
    find: '      signal.throwIfAborted()\n',
    replace: '',
    test: mirrors,
  },
  {
    name: 'the failures of mirrors are not told',
    file: 'src/distribution/plan.ts',
    find: '...(failures.length > 0 && { mirrors: failures })',
    replace: '...(failures.length > 9 && { mirrors: failures })',
    test: mirrors,
  },
  {
    name: 'a daemon.json may be a pipe',
    file: 'src/distribution/daemon-json.ts',
    find: "if (!(await file.stat()).isFile()) throw wrong(path, 'not a file')",
    replace: '',
    test: daemon,
  },
  {
    name: 'a daemon.json of any size',
    file: 'src/distribution/daemon-json.ts',
    find: 'Math.min((await file.stat()).size, limits.jsonBytes) + 1',
    replace: 'Math.min((await file.stat()).size, limits.jsonBytes)',
    test: daemon,
  },
  {
    name: 'a password is kept before it is tried',
    file: 'src/distribution/login.ts',
    find: '  const identity = await client.login(domain, credential, { signal })\n',
    replace:
      '  await store.set(key, credential, signal)\n  const identity = await client.login(domain, credential, { signal })\n',
    test: login,
  },
  {
    name: 'the password is kept beside an identity token',
    file: 'src/distribution/login.ts',
    find: 'identity === undefined ? credential :',
    replace: 'identity !== undefined ? credential :',
    test: login,
  },
  {
    name: 'after a login the old credentials are used',
    file: 'src/distribution/login.ts',
    find: 'await store.set(key, kept, signal).finally(() => client.forgetCredentials())',
    replace: 'await store.set(key, kept, signal)',
    test: login,
  },
  {
    name: 'a token server that was shown nothing logs in',
    file: 'src/registry/authorizer.ts',
    find: "if (!realm.trusted) throw new PhylloError('REGISTRY_AUTH', ",
    replace: "if (host === '') throw new PhylloError('REGISTRY_AUTH', ",
    test: login,
  },
  {
    name: 'any failure of a search leads to the catalog',
    file: 'src/distribution/search.ts',
    find: "error.code === 'REGISTRY_NOT_FOUND'",
    replace: "error.code !== 'REGISTRY_AUTH'",
    test: search,
  },
  {
    name: 'a search is as long as the registry likes',
    file: 'src/registry/search.ts',
    find: 'results.slice(0, limit)',
    replace: 'results',
    test: search,
  },
  {
    name: 'a search that is not said to be a catalog',
    file: 'src/distribution/search.ts',
    find: "return { source: 'catalog', repositories: names",
    replace: "return { source: 'search', repositories: names",
    test: search,
  },
  {
    name: 'what others say reaches the terminal',
    file: 'src/cli/commands/search.ts',
    find: 'ellipsis(harmless(description), ',
    replace: 'ellipsis(description, ',
    test: cli,
  },
  {
    name: 'the index goes before its images',
    file: 'src/distribution/copy-remote.ts',
    find: '  await copy.contents(top, 1)\n  await copy.put(top, to.tag)\n',
    replace: '  await copy.put(top, to.tag)\n  await copy.contents(top, 1)\n',
    test: copy,
  },
  {
    name: 'nothing is mounted',
    file: 'src/distribution/copy-remote.ts',
    find: '=== canonicalHost(to.domain) ? from.path : undefined',
    replace: '=== canonicalHost(to.domain) ? undefined : undefined',
    test: copy,
  },
  {
    name: 'an upload that a mount has begun is left',
    file: 'src/distribution/copy-blobs.ts',
    find: '    await mounted.cancel()\n',
    replace: '',
    test: copy,
  },
  {
    name: 'a size that the target tells is believed',
    file: 'src/distribution/copy-blobs.ts',
    find: 'if (there !== sizeBytes) throw',
    replace: 'if (there > sizeBytes) throw',
    test: copy,
  },
  {
    name: 'the source’s failure is told as the target’s',
    file: 'src/distribution/copy-blobs.ts',
    find: 'throw failure === undefined ? error :',
    replace: 'throw failure !== undefined ? error :',
    test: copy,
  },
  {
    name: 'nobody has a turn while blobs move',
    file: 'src/distribution/copy-blobs.ts',
    find: '          await loop.after(piece.length)\n',
    replace: '',
    test: copy,
  },
  {
    name: 'referrers go round in a circle',
    file: 'src/distribution/copy-remote.ts',
    find: '    if (this.#seen.has(child.digest)) return\n',
    replace: '',
    test: copy,
  },
  {
    name: 'all servers share the credentials of the first',
    file: 'src/registry/client.ts',
    find: ' () => this.#endpoint(domain, api), api)',
    replace: ' () => this.#endpoint([...this.#sessions.keys()][0]?.split(" ")[1] ?? domain, api), api)',
    test: leaks,
  },
  {
    name: 'a mirror has the credentials of Docker Hub',
    file: 'src/registry/endpoint.ts',
    find: 'bases: [base], credentialKey: base.host',
    replace: 'bases: [base], credentialKey: hub.credentialKey',
    test: leaks,
  },
]
