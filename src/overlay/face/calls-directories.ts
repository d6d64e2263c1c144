/** readdir and opendir, and glob where the running Node has it. */
import fs from 'node:fs'
import type { ByteString } from '../../byte-string.js'
import { type AnyOptions, checkedByNode, encoded, optionsArgument, pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import { itemsPerLook } from '../union/pace.js'
import type { Union } from '../union/union.js'
import { ViewDir } from './dir.js'
import { direntOf, type Listed, listing } from './dirent.js'
import type { Calls, Implementation } from './forms.js'

type Item = string | Buffer | fs.Dirent

/** A readdir that has been checked and waits to be run, at once or in portions. */
interface Reading {
  readonly steps: Iterator<Listed>
  readonly item: (listed: Listed) => Item
}

function begin(union: Union, path: unknown, options: unknown): Reading {
  const { encoding, withFileTypes, recursive } = directoryOptions(options, o => fs.readdirSync('', o))
  const argument = pathArgument(path)
  const directory = directoryAt(union, argument, 'scandir')
  const steps = listing(union.tree, directory, recursive === true)
  if (withFileTypes)
    return { steps, item: ({ dentry, below }) => direntOf(dentry, joined(argument.text, below), encoding) }
  return {
    steps,
    item: ({ dentry, below }) =>
      encoded(below === '' ? dentry.name : (`${below}/${dentry.name}` as ByteString), encoding),
  }
}

function directoryAt(union: Union, argument: ReturnType<typeof pathArgument>, syscall: string): Dentry {
  const dentry = union.at(argument, true, syscall)
  if (dentry.directory === undefined) throw errnoError('ENOTDIR', syscall, argument.text)
  return dentry
}

/** The path of a directory below the one that was listed, as node:fs spells it: joined, and so normalised. */
function joined(parent: string, below: ByteString): string {
  return below === '' ? parent : `${parent.endsWith('/') ? parent : `${parent}/`}${encoded(below, 'utf8')}`
}

function directoryOptions(options: unknown, check: (options: never) => unknown): AnyOptions {
  const checked = optionsArgument(options, check)
  if (checked.recursive !== undefined && typeof checked.recursive !== 'boolean') {
    checkedByNode(() => check(options as never))
  }
  return checked
}

function readdirSync(union: Union): Implementation {
  return (path, options) => {
    const { steps, item } = begin(union, path, options)
    const items: Item[] = []
    for (let next = steps.next(); !next.done; next = steps.next()) items.push(item(next.value))
    return items
  }
}

function readdirLater(union: Union): Implementation {
  return (path, options) => {
    const { steps, item } = begin(union, path, options)
    return (async () => {
      const items: Item[] = []
      for (let next = steps.next(); !next.done; next = steps.next()) {
        items.push(item(next.value))
        if (items.length % itemsPerLook === 0 && union.pace.due()) await union.pace.turn()
      }
      return items
    })()
  }
}

function opendir(union: Union): Implementation {
  return (path, options) => {
    const { encoding, recursive } = directoryOptions(options, o => fs.opendirSync('', o))
    const argument = pathArgument(path)
    const directory = directoryAt(union, argument, 'opendir')
    const entries = (function* () {
      for (const { dentry, below } of listing(union.tree, directory, recursive === true)) {
        yield direntOf(dentry, joined(argument.text, below), encoding)
      }
    })()
    return new ViewDir(argument.text, entries, union.pace)
  }
}

export function directoryCalls(union: Union): Calls {
  return {
    readdir: { sync: readdirSync(union), later: readdirLater(union) },
    opendir: { sync: opendir(union) },
  }
}
