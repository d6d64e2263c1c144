/** How fast are the headers of a tar read? Against tar-stream and GNU tar. */
import { readFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { defaultLimits } from '../src/index.js'
import { TarScanner } from '../src/tar/scanner.js'
import { type MicroCase, runMicro } from './micro.js'
import { runProcess } from './process.js'
import type { Question } from './questions.js'

const chunkBytes = 256 * 2 ** 10

export const question: Question = {
  title: 'entries of base.tar, from memory',
  peersBeside: ['tar'],
  inputs: ['base'],
  async ask({ input, has, say }) {
    const bytes = await readFile(input('base'))
    const chunks: Buffer[] = []
    for (let at = 0; at < bytes.length; at += chunkBytes) chunks.push(bytes.subarray(at, at + chunkBytes))
    const count = scan(chunks)
    const cases: MicroCase[] = [
      { name: 'TarScanner, chunks of 256 KiB', count, run: () => scan(chunks) },
      { name: 'TarScanner, seeking over contents', count, run: () => scanHeaders(bytes) },
      { name: 'tar-stream, chunks of 256 KiB', count, asynchronous: true, run: () => scanByTarStream(chunks, count) },
    ]
    if (has('tar'))
      cases.push({
        name: 'GNU tar -t, a process',
        count,
        asynchronous: true,
        run: () => runProcess(['tar', '-tf', input('base')]),
      })
    say(`${count} entries\n${await runMicro(cases, 'entries')}`)
  },
}

function scan(chunks: readonly Buffer[]): number {
  let links = 0
  const scanner = new TarScanner({ limits: defaultLimits, onEntry: entry => void (links += entry.linkName.length) })
  for (const chunk of chunks) scanner.push(chunk)
  scanner.end()
  return scanner.entries
}

function scanHeaders(bytes: Buffer): number {
  const scanner = new TarScanner({ limits: defaultLimits, onEntry: () => undefined })
  while (scanner.offset < bytes.length) {
    if (scanner.skippable > 0) scanner.skip(scanner.skippable)
    else scanner.push(bytes.subarray(scanner.offset, scanner.offset + 512))
  }
  scanner.end()
  return scanner.entries
}

async function scanByTarStream(chunks: readonly Buffer[], expected: number): Promise<void> {
  const tar = extract()
  Readable.from(chunks, { objectMode: false }).pipe(tar)
  let entries = 0
  for await (const entry of tar) {
    entries++
    entry.resume()
  }
  if (entries !== expected) throw new Error(`tar-stream found ${entries} entries, not ${expected}`)
}
