import type { Mutant } from './mutant.js'

const file = 'src/operation.ts'
const test = 'test/operation.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'progress is queued instead of merged',
    file,
    find: `if (event.type === 'progress') reader.progress.set(event.subject, event)`,
    replace: `if (event.type === 'never') reader.progress.set(event.subject, event)`,
    test,
  },
  {
    name: 'milestones before the reader came are lost',
    file,
    find: 'milestones: [...this.#backlog]',
    replace: 'milestones: []',
    test,
  },
  {
    name: 'leaving one loop leaves all',
    file,
    find: 'this.#readers.delete(reader)',
    replace: 'this.#readers.clear()',
    test,
  },
  {
    name: 'an abort rejects with the error of the work',
    file,
    find: 'throw context.signal.aborted ? context.signal.reason : firstFailure(error)',
    replace: 'throw firstFailure(error)',
    test,
  },
  {
    name: 'the work starts although the signal is aborted',
    file,
    find: '      context.signal.throwIfAborted()\n',
    replace: '',
    test,
  },
  {
    name: 'a reader is not woken by the end',
    file,
    find: 'for (const reader of this.#readers) reader.wake?.()',
    replace: '',
    test,
  },
  {
    name: 'a failure behind a reader is swallowed',
    file,
    find: 'if (!this.#awaited) void this.#consumed().then()',
    replace: '',
    test,
  },
  {
    name: 'a slow reader makes an awaited failure an unhandled one',
    file,
    find: 'this.#promise.catch(() => undefined)',
    replace: '',
    test,
  },
  {
    name: 'a stage forgets what it took before',
    file,
    find: '(this.report.ms[name] ?? 0) + performance.now() - start',
    replace: '0 * (performance.now() - start)',
    test,
  },
  {
    name: 'a failed wait ends the work where it stands',
    file: 'src/either-way.ts',
    find: `result = await step.value.later()
    } catch (error) {
      step = work.throw(error)
      continue`,
    replace: `result = await step.value.later()
    } catch (error) {
      throw error`,
    test: 'test/either-way.test.ts',
  },
]
