/**
 * Writes docker-archives whose layers are made while they are written: a member's header comes before its size is
 * known, so its place is left free and filled in behind it.
 */
import { createHash } from 'node:crypto'
import { closeSync, openSync, renameSync, writeSync } from 'node:fs'
import { entry, header, padding } from '../test/build/tar.js'

export interface LayerEntry {
  readonly type: 'file' | 'directory' | 'symlink'
  readonly name: string
  readonly mode: number
  /** Of files: how long `content` is in all. */
  readonly sizeBytes?: number
  readonly content?: Iterable<Uint8Array>
  readonly link?: string
}

const flags = { file: '0', directory: '5', symlink: '2' } as const
const headerBytes = 512
/** Bytes that are written at once. */
const writeBytes = 1 << 20
const endMark = Buffer.alloc(2 * headerBytes)
/** Of everything that is made here. */
const created = '2024-01-01T00:00:00Z'
const mtime = Date.parse(created) / 1000

/** Appears under its name when it is whole. Chunks may be reused once the next one is asked for. */
export function writeDockerArchive(path: string, tag: string, layers: Iterable<Iterable<LayerEntry>>): void {
  const part = `${path}.part`
  const fd = openSync(part, 'w')
  try {
    let at = 0
    const add = (name: string, content: Iterable<Uint8Array>): string => {
      const { sizeBytes, sha256 } = append(fd, at + headerBytes, content)
      writeSync(fd, header('0', name, { magic: 'gnu', size: sizeBytes, mtime }), 0, headerBytes, at)
      at += headerBytes + sizeBytes + padding(sizeBytes).length
      return sha256
    }
    const names: string[] = []
    const diffIds: string[] = []
    for (const entries of layers) {
      names.push(`${names.length}/layer.tar`)
      diffIds.push(`sha256:${add(names.at(-1)!, layerTar(entries))}`)
    }
    const config = configOf(diffIds)
    const configName = `${createHash('sha256').update(config).digest('hex')}.json`
    add(configName, [config])
    add('manifest.json', [Buffer.from(JSON.stringify([{ Config: configName, RepoTags: [tag], Layers: names }]))])
    writeSync(fd, endMark, 0, endMark.length, at)
  } finally {
    closeSync(fd)
  }
  renameSync(part, path)
}

/** The bytes of a layer's tar. */
export function* layerTar(entries: Iterable<LayerEntry>): Generator<Uint8Array> {
  for (const { type, name, mode, sizeBytes = 0, content = [], link = '' } of entries) {
    yield entry(flags[type], name, { mode, mtime, size: sizeBytes }, '', link)
    let written = 0
    for (const chunk of content) {
      written += chunk.length
      yield chunk
    }
    if (written !== sizeBytes) throw new Error(`${name}: ${written} bytes of ${sizeBytes}`)
    yield padding(sizeBytes)
  }
  yield endMark
}

function append(fd: number, start: number, chunks: Iterable<Uint8Array>): { sizeBytes: number; sha256: string } {
  const hash = createHash('sha256')
  const gathered = Buffer.alloc(writeBytes)
  let [at, used] = [start, 0]
  const write = (bytes: Uint8Array) => {
    hash.update(bytes)
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, at + done)
    at += bytes.length
  }
  const flush = () => {
    write(gathered.subarray(0, used))
    used = 0
  }
  for (const chunk of chunks) {
    if (used + chunk.length > gathered.length) flush()
    if (chunk.length >= gathered.length) write(chunk)
    else {
      gathered.set(chunk, used)
      used += chunk.length
    }
  }
  flush()
  return { sizeBytes: at - start, sha256: hash.digest('hex') }
}

function configOf(diffIds: readonly string[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: process.arch === 'x64' ? 'amd64' : process.arch,
      os: 'linux',
      created,
      config: { Cmd: ['/bin/sh'] },
      rootfs: { type: 'layers', diff_ids: diffIds },
      history: diffIds.map((_, at) => ({ created, created_by: `layer ${at}` })),
    }),
  )
}
