/** A small project under git with what projects have: several commits, a branch, a tag, programs, links, odd names, deltas. */
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { git } from './git.js'

const lines = (count: number, from = 0) => Array.from({ length: count }, (_, at) => `line ${from + at}\n`).join('')

/** Makes `NAME.git`, bare and packed, in a folder, and beside it the folder `NAME` that it was made in. */
export function makeProject(folder: string, name: string): void {
  const work = join(folder, name)
  const put = (path: string, content: string | Buffer) => {
    mkdirSync(dirname(join(work, path)), { recursive: true })
    writeFileSync(join(work, path), content)
  }
  const commit = (message: string) => {
    git(work, 'add', '--all')
    git(work, 'commit', '--quiet', '-m', message)
  }
  git(folder, 'init', '--quiet', name)
  put('README.md', '# Project\n')
  put('src/main.js', lines(2000))
  put('src/deep/er/file.txt', 'deep\n')
  put('bin/run', '#!/bin/sh\n')
  chmodSync(join(work, 'bin/run'), 0o755)
  symlinkSync('../src/main.js', join(work, 'bin/main'))
  put('ünï cödé/with space.txt', 'odd\n')
  put('blob.bin', Buffer.from(Array.from({ length: 200_000 }, (_, at) => (at * at) % 251)))
  put('.gitignore', '*.log\n')
  commit('first')
  put('src/main.js', lines(1000) + lines(1000, 5000))
  rmSync(join(work, 'src/deep/er/file.txt'))
  put('src/deep/other.txt', '')
  commit('second')
  git(work, 'tag', '--annotate', 'v1', '-m', 'version 1')
  git(work, 'checkout', '--quiet', '-b', 'topic')
  put('topic.txt', 'of the topic\n')
  commit('topic')
  git(work, 'checkout', '--quiet', 'main')
  put('src/main.js', lines(1000) + lines(999, 5000))
  commit('third')
  git(folder, 'clone', '--quiet', '--bare', name, `${name}.git`)
  git(join(folder, `${name}.git`), 'repack', '--quiet', '-a', '-d', '-f')
  git(join(folder, `${name}.git`), 'config', 'http.receivepack', 'true')
}
