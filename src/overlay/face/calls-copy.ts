/** copyFile and cp of a container. */
import fs from 'node:fs'
import { checkedByNode, type PathArgument, pathArgument } from '../union/arguments.js'
import { copyFileLater, copyFileNow } from '../union/copy-file.js'
import type { Union } from '../union/union.js'
import { type CpOptions, cpSteps, filterMustAnswer } from './cp.js'
import type { Calls, Implementation } from './forms.js'

const EISDIR = 21
const EINVAL = 22
const mostMode = fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE | fs.constants.COPYFILE_FICLONE_FORCE

type Copy = (union: Union, from: PathArgument, to: PathArgument, mode: number) => unknown

function copyFile(union: Union, copy: Copy): Implementation {
  return (from, to, mode) => {
    const source = pathArgument(from, bad => fs.copyFileSync(bad, ''))
    const target = pathArgument(to, bad => fs.copyFileSync('', bad))
    return copy(
      union,
      source,
      target,
      copyMode(mode, bad => fs.copyFileSync('', '', bad)),
    )
  }
}

function copyMode(mode: unknown, check: (bad: number) => unknown): number {
  if (mode === undefined || mode === null || typeof mode === 'function') return 0
  if (!Number.isInteger(mode) || (mode as number) < 0 || (mode as number) > mostMode)
    checkedByNode(() => check(mode as number))
  return mode as number
}

const flags = ['dereference', 'errorOnExist', 'preserveTimestamps', 'recursive', 'verbatimSymlinks', 'force'] as const

function cpOptions(given: unknown, directoryErrno: number): CpOptions {
  const options = (typeof given === 'function' || given === undefined ? {} : given) as Partial<CpOptions>
  const sane =
    options !== null &&
    typeof options === 'object' &&
    flags.every(flag => options[flag] === undefined || typeof options[flag] === 'boolean') &&
    (options.filter === undefined || typeof options.filter === 'function') &&
    !(options.dereference && options.verbatimSymlinks)
  if (!sane) refuse(given)
  return {
    ...Object.fromEntries(flags.map(flag => [flag, flag === 'force'])),
    ...options,
    mode: copyMode(options.mode, () => refuse(given)),
    directoryErrno,
  } as CpOptions
}

/** Node's own words: its cp finds nothing at the empty path, and fails before that if the options are wrong. */
function refuse(options: unknown): void {
  try {
    fs.cpSync('', '', options as fs.CopySyncOptions)
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_')) throw error
  }
}

function steps(union: Union, from: unknown, to: unknown, given: unknown, directoryErrno: number) {
  const options = cpOptions(given, directoryErrno)
  const source = pathArgument(from, bad => fs.cpSync(bad, ''))
  const target = pathArgument(to, bad => fs.cpSync('', bad))
  return { options, run: cpSteps(union, source.bytes, target.bytes, options) }
}

function cpNow(union: Union): Implementation {
  return (from, to, given) => {
    const { options, run } = steps(union, from, to, given, EINVAL)
    let answer = true
    for (let next = run.next(answer); !next.done; next = run.next(answer)) {
      const step = next.value
      if (step.kind === 'copy') copyFileNow(union, step.from, step.to, options.mode)
      if (step.kind !== 'filter') continue
      const kept = options.filter!(step.from, step.to)
      if (kept instanceof Promise) throw filterMustAnswer(kept)
      answer = Boolean(kept)
    }
  }
}

function cpLater(union: Union): Implementation {
  return (from, to, given) => {
    const { options, run } = steps(union, from, to, given, EISDIR)
    return union.reading(async () => {
      let answer = true
      for (let next = run.next(answer); !next.done; next = run.next(answer)) {
        const step = next.value
        if (step.kind === 'copy') await copyFileLater(union, step.from, step.to, options.mode)
        if (step.kind === 'filter') answer = Boolean(await options.filter!(step.from, step.to))
        if (union.pace.due()) await union.pace.turn()
      }
    })
  }
}

export function copyCalls(union: Union): Calls {
  return {
    copyFile: { sync: copyFile(union, copyFileNow), later: copyFile(union, copyFileLater) },
    cp: { sync: cpNow(union), later: cpLater(union) },
  }
}
