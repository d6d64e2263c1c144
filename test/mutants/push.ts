import type { Mutant } from './mutant.js'

const push = 'test/distribution/push.test.ts'
const ways = 'test/distribution/push-ways.test.ts'
const candidates = 'test/distribution/push-candidates.test.ts'
const manifest = 'test/distribution/push-manifest.test.ts'
const broken = 'test/distribution/push-broken.test.ts'
const uploads = 'test/registry/uploads.test.ts'
const stage = 'test/pool/gzip-stage.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'what a registry has taken is not looked at',
    file: 'src/distribution/push-layer.ts',
    find: '  if (seen === sizeBytes) return\n',
    replace: '  if (seen !== Number.NaN) return\n',
    test: broken,
  },
  {
    name: 'the config comes when it comes',
    file: 'src/distribution/push-target.ts',
    find: "await op.stage('config', () => this.#config(image))",
    replace: "void op.stage('config', () => this.#config(image))",
    test: push,
  },
  {
    name: 'every layer goes at once',
    file: 'src/distribution/push-target.ts',
    find: 'const turn = callLimit(uploads)',
    replace: 'const turn = callLimit(uploads + 99)',
    test: push,
  },
  {
    name: 'the failure of a layer waits for the others',
    file: 'src/distribution/push-target.ts',
    find: '      fail(error)\n',
    replace: '',
    test: broken,
  },
  {
    name: 'a note of a blob that is gone stays',
    file: 'src/distribution/push-layer.ts',
    find: 'if (isGone) await notes.remove(this.#layer.diffId, note)',
    replace: 'if (isGone) await notes.of(this.#layer.diffId)',
    test: push,
  },
  {
    name: 'a store that may only be read is written to',
    file: 'src/distribution/push.ts',
    find: 'if (writable) await parts.references.edit(',
    replace: 'await parts.references.edit(',
    test: push,
  },
  {
    name: 'an upload that a mount has begun is left',
    file: 'src/distribution/push-layer.ts',
    find: '        await this.#begun?.cancel()\n        this.#begun = mounted\n',
    replace: '        this.#begun = mounted\n',
    test: ways,
  },
  {
    name: 'a mount that missed begins another upload',
    file: 'src/distribution/push-layer.ts',
    find: '    const begun = this.#begun\n',
    replace: '    const begun = undefined\n',
    test: ways,
  },
  {
    name: 'other registries are asked to mount',
    file: 'src/distribution/push-candidates.ts',
    find: 'source?.domain === target.domain && ',
    replace: '',
    test: candidates,
  },
  {
    name: 'the oldest note is tried first',
    file: 'src/distribution/push-candidates.ts',
    find: 'return [...items].reverse().sort(',
    replace: 'return [...items].sort(',
    test: candidates,
  },
  {
    name: 'a kept blob is sent whatever it is',
    file: 'src/distribution/kept-blobs.ts',
    find: 'if (hex !== hexOf(this.digest)) throw',
    replace: 'if (hex === hexOf(this.digest).slice(1)) throw',
    test: ways,
  },
  {
    name: 'a kept manifest is not hashed',
    file: 'src/distribution/kept-blobs.ts',
    find: ".digest('hex') === hexOf(digest) ? bytes : undefined",
    replace: ".digest('hex') !== '' ? bytes : undefined",
    test: manifest,
  },
  {
    name: 'a kept manifest of other layers is sent',
    file: 'src/distribution/push-manifest.ts',
    find: '    manifest.layers.length === layers.length &&\n',
    replace: '',
    test: manifest,
  },
  {
    name: 'zstd is called gzip',
    file: 'src/distribution/push-layer.ts',
    find: 'if (notes.isSigned(note)) return',
    replace: 'if (note.hmac !== undefined) return',
    test: ways,
  },
  {
    name: 'a layer that broke off is sent from its beginning',
    file: 'src/registry/growing-upload.ts',
    find: "'goes on' : 'begins anew'",
    replace: "'begins anew' : 'begins anew'",
    test: broken,
  },
  {
    name: 'a blob that is there is sent again',
    file: 'src/registry/growing-upload.ts',
    find: 'sent !== undefined && isPassing(error) && (await',
    replace: 'sent === null && (await',
    test: broken,
  },
  {
    name: 'progress is no progress',
    file: 'src/registry/growing-upload.ts',
    find: '>= progressBytes ? 1 :',
    replace: '>= progressBytes ? this.#failures + 1 :',
    test: broken,
  },
  {
    name: 'one byte is believed to be there',
    file: 'src/registry/upload.ts',
    find: 'return this.#offset > 1\n',
    replace: 'return true\n',
    test: broken,
  },
  {
    name: 'an upload that an abort has overtaken is left',
    file: 'src/registry/uploads.ts',
    find: '  if (signal?.aborted === true) await posted.upload?.cancel()\n',
    replace: '',
    test: uploads,
  },
  {
    name: 'an abort breaks the connection off',
    file: 'src/registry/upload.ts',
    find: 'const answer = await withGrace(graceMs, signal, signal =>',
    replace: 'const answer = await withGrace(0, signal, signal =>',
    test: uploads,
  },
  {
    name: 'a growing file ends where its writer is',
    file: 'src/pool/gzip-stage.ts',
    find: 'Atomics.load(this.#counters, 1) === 0n) await sleep(momentMs)',
    replace: 'Atomics.load(this.#counters, 1) === 0n) return Math.max(0, left())',
    test: stage,
  },
  {
    name: 'a stage is gone before its jobs are',
    file: 'src/pool/gzip-stage.ts',
    find: '    await Promise.allSettled(this.#jobs)\n',
    replace: '',
    test: stage,
  },
  {
    name: 'an upload that waits for its next attempt does not say so',
    file: 'src/distribution/push-layer.ts',
    find: 'this.#tell(retryingIn(seconds))',
    replace: 'void retryingIn(seconds)',
    test: broken,
  },
]
