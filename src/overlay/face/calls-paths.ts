/** readlink and realpath. */
import fs from 'node:fs'
import { type ByteString, toText } from '../../byte-string.js'
import { encoded, optionsArgument, pathArgument } from '../union/arguments.js'
import type { Dentry } from '../union/dentry.js'
import { errnoError } from '../union/errno.js'
import { resolve } from '../union/resolve.js'
import type { Union } from '../union/union.js'
import type { Calls, Implementation } from './forms.js'

function readlink(union: Union): Implementation {
  return (path, options) => {
    const { encoding } = optionsArgument(options)
    const argument = pathArgument(path, bad => fs.readlinkSync(bad))
    const dentry = union.at(argument, false, 'readlink')
    if (!union.tree.isSymlink(dentry)) throw errnoError('EINVAL', 'readlink', argument.text)
    return encoded(union.tree.linkTarget(dentry), encoding)
  }
}

/** The kernel's answer, as realpath(3) gives it. */
function native(union: Union): Implementation {
  return (path, options) => {
    const { encoding } = optionsArgument(options)
    return encoded(union.tree.pathOf(union.at(pathArgument(path), true, 'realpath')), encoding)
  }
}

/**
 * Node's own realpath first takes dots and slashes out of the text, without looking at the files, then goes component by
 * component; so `file/..` is a directory for it, and its errors name the component (`lstat`) or the link (`stat`).
 */
function realpath(union: Union): Implementation {
  return (path, options) => {
    const { encoding } = optionsArgument(options)
    const { bytes } = pathArgument(path)
    const { tree } = union
    union.assertOpen()
    const real = (dentry: Dentry) => encoded(tree.pathOf(dentry), encoding)
    let node = tree.root
    for (const name of normalized(bytes, union.cwd)) {
      const prefix = () => toText(`${tree.pathOf(node) === '/' ? '' : tree.pathOf(node)}/${name}` as ByteString)
      const found = resolve(tree, node, name, false)
      if (typeof found === 'string') throw errnoError(found, 'lstat', prefix())
      const target = tree.isSymlink(found) ? resolve(tree, node, name, true) : found
      if (typeof target === 'string') throw errnoError(target, 'stat', prefix())
      node = target
    }
    return real(node)
  }
}

/** The components of an absolute path after its dots were taken out as text. */
function normalized(path: ByteString, cwd: ByteString): ByteString[] {
  const absolute = path.startsWith('/') ? path : `${cwd}/${path}`
  const names: ByteString[] = []
  for (const name of absolute.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name as ByteString)
  }
  return names
}

export function pathCalls(union: Union): Calls {
  return {
    readlink: { sync: readlink(union) },
    realpath: { sync: realpath(union), promise: native(union) },
    'realpath.native': { sync: native(union) },
  }
}
