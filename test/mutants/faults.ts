/** What must hold when system calls fail. */
import type { Mutant } from './mutant.js'

const cases = 'test/store/fault-cases.test.ts'
const directories = 'test/store/fault-cases.system.test.ts'
const endings = 'test/endings.test.ts'
const pool = 'test/pool/pool.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'work that goes on side by side ends with its first failure',
    file: 'src/endings.ts',
    find: '  await Promise.allSettled(work)\n',
    replace: '',
    test: endings,
  },
  {
    name: 'after a failure no further step is taken',
    file: 'src/endings.ts',
    find: '      await step()\n    } catch (error) {\n      failure ??= { error }\n',
    replace: '      await step()\n    } catch (error) {\n      throw error\n',
    test: endings,
  },
  {
    name: 'an operation tells the failure of its clean-up, and not its own',
    file: 'src/operation.ts',
    find: 'context.signal.reason : firstFailure(error)',
    replace: 'context.signal.reason : error',
    test: endings,
  },
  {
    name: 'an errno has no name but the one of libuv',
    file: 'src/errors.ts',
    find: "return code.startsWith('Unknown system error') ? (known?.[0] ?? code) : code",
    replace: 'return known === undefined ? code : code',
    test: 'test/errors.test.ts',
  },
  {
    name: 'the question who uses an image runs beside another one',
    file: 'src/images/remove.ts',
    find: '    this.#users ??= await users()\n',
    replace: '    const asked = users()\n    await this.#isLeased(id)\n    this.#users ??= await asked\n',
    test: cases,
  },
  {
    name: 'a path of an output that cannot be resolved is not told',
    file: 'src/archive/output.ts',
    find: '  let path = resolve(output)\n  try {\n    path = await realPath(path)\n',
    replace: '  let path = await realPath(resolve(output))\n  try {\n    path = await realPath(path)\n',
    test: cases,
  },
  {
    name: 'an owner that cannot be locked keeps its descriptor',
    file: 'src/disk/owner.ts',
    find: '    await letGo(io, fd)\n    throw error\n',
    replace: '    throw error\n',
    test: cases,
  },
  {
    name: 'closing a store ends with its first failure',
    file: 'src/disk/root.ts',
    find: '    await inTurn([\n      () => owner.remains.again(),\n',
    replace:
      '    const first = async (steps: (() => unknown)[]) => {\n      for (const step of steps) await step()\n    }\n    await first([\n      () => inTurn([]),\n',
    test: cases,
  },
  {
    name: 'what cannot be released keeps what comes after it',
    file: 'src/disk/reap.ts',
    find: 'async () => inTurn((await mine(paths.owners)).map(path => () => ifThere(io.unlink(path)))),',
    replace: 'async () => {\n      for (const path of await mine(paths.owners)) await ifThere(io.unlink(path))\n    },',
    test: cases,
  },
  {
    name: 'files of a record are read on behind a failure',
    file: 'src/layers/record.ts',
    find: 'const [size, cacheId, parent] = await together([',
    replace: 'const [size, cacheId, parent] = await (together && Promise).all([',
    test: cases,
  },
  {
    name: 'a repair gives up what a full disk kept it from healing',
    file: 'src/check/mend-layers.ts',
    find: '  if (failure !== undefined) throw failure\n',
    replace: '',
    test: cases,
  },
  {
    name: 'a container is closed although it could not be written',
    file: 'src/overlay/union/union.ts',
    find: '      this.#closing = undefined\n      throw error\n',
    replace: '      throw error\n',
    test: cases,
  },
  {
    name: 'a container is written before it is removed',
    file: 'src/containers/container.ts',
    find: '    abandoned = true\n    await face.close()\n',
    replace: '    await face.close()\n',
    test: cases,
  },
  {
    name: 'what could not be taken away or put back is never tried again',
    file: 'src/disk/root.ts',
    find: "if ('owner' in this.#mode && !this.#life.ended) await this.#mode.owner.remains.again()",
    replace: "if ('owner' in this.#mode && this.#life.ended) await this.#mode.owner.remains.again()",
    test: cases,
  },
  {
    name: 'what cannot be put back is what a failure tells',
    file: 'src/disk/root.ts',
    find: 'await this.settle(() => this.restore(name))',
    replace: 'await this.restore(name)',
    test: cases,
  },
  {
    name: 'nobody hears of a thread that cannot be started',
    file: 'src/pool/pool.ts',
    find: "    piscina.on('error', error => this.#onError(piscina, error))\n",
    replace: '',
    test: pool,
  },
  {
    name: 'jobs wait for ever for threads that cannot be started',
    file: 'src/pool/pool.ts',
    find: '    if (piscina.threads.length > 0) return\n',
    replace: '    if (piscina.threads.length >= 0) return\n',
    test: pool,
  },
  {
    name: 'an errno error of a job is not told',
    file: 'src/pool/pool.ts',
    find: "if (error instanceof PhylloError || !('syscall' in error)) return error",
    replace: 'if (error instanceof Error) return error',
    test: pool,
  },
  {
    name: 'the directory of a layer that could not be published stays',
    file: 'src/drivers/overlay2/overlay2-driver.ts',
    find: '      await root.settle(withdraw)\n',
    replace: '',
    test: directories,
  },
  {
    name: 'a layer that cannot be opened stays open',
    file: 'src/drivers/overlay2/directory-layer.ts',
    find: '    directory.close()\n    throw error\n',
    replace: '    throw error\n',
    test: directories,
  },
  {
    name: 'a disk that does not answer lacks what driver overlay2 needs',
    file: 'src/drivers/overlay2/probe.ts',
    find: 'errnoOf(error) === undefined || isErrno(error, ...passing)',
    replace: 'errnoOf(error) === undefined || (isErrno(error, ...passing) && false)',
    test: directories,
  },
  {
    name: 'making directories takes every failure for an answer of the union',
    file: 'src/overlay/face/calls-change-names.ts',
    find: '    if (errnoOf(error) === undefined) throw error\n',
    replace: "    if (errnoOf(error) === undefined && !(error instanceof Error && 'errno' in error)) throw error\n",
    test: directories,
  },
  {
    name: 'a stream that nobody has come to read stays open',
    file: 'src/archive/input-stream.ts',
    find: "    if (typeof input !== 'string') destroy(input)\n",
    replace: '',
    test: cases,
  },
  {
    name: 'a driver that cannot be used says in words alone why',
    file: 'src/drivers/overlay2/refuse.ts',
    find: '...callFacts(cause), cause',
    replace: '',
    test: directories,
  },
]
