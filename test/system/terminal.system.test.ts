/** The command line on a terminal: bars that are drawn in place, and archives that are kept away from it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { appArchive } from '../build/app-archive.js'
import { ended, fileScratch, linesOf, program } from '../build/cli.js'
import { archiveOf, digestOf, layerTar, legacyArchive } from '../build/image.js'
import { leftovers } from '../build/store.js'

const scratch = fileScratch()
const big = Array.from({ length: 3 }, (_, n) => layerTar({ [`f${n}`]: `${n}`.repeat(8 << 20) }))
const path = (name: string) => join(scratch, name)

before(() => {
  writeFileSync(path('big.tar'), archiveOf(legacyArchive([{ layers: big, tags: ['big:1'] }])))
  writeFileSync(path('app.tar'), appArchive())
})

/** Starts it on a terminal of its own, of so many columns; what it writes to either stream comes out of that. */
function onTerminal(words: readonly string[], columns = 100) {
  const command = [process.execPath, program, ...words].map(word => `'${word}'`).join(' ')
  const shell = columns === 0 ? `exec ${command}` : `stty cols ${columns}; exec ${command}`
  return spawn('script', ['-qec', shell, '/dev/null'], { env: { ...process.env, TERM: 'xterm' } })
}

const run = (words: readonly string[], columns?: number) => ended(onTerminal(words, columns))

const esc = String.fromCharCode(0x1b)

/** What is written, cut into text, line ends and escape sequences; those without the escape character. */
function partsOf(output: string): string[] {
  return output
    .replaceAll(esc, `\u0000${esc}`)
    .split('\u0000')
    .flatMap(part =>
      part.startsWith(esc)
        ? [part.slice(1).match(/^\[\d*[A-Z]/)![0], part.slice(1).replace(/^\[\d*[A-Z]/, '')]
        : [part],
    )
    .flatMap(part => (/^\[\d*[A-Z]$/.test(part) ? [part] : part.split(/(?<=[\r\n])|(?=[\r\n])/)))
}

/** What is left on the screen when cursor movements and erasures have been done: a line for each row. */
function screenOf(output: string): string[] {
  const rows: string[] = ['']
  let row = 0
  for (const part of partsOf(output)) {
    const [, count, move] = /^\[(\d*)([A-Z])$/.exec(part) ?? []
    if (move === 'A') row -= Number(count)
    else if (move === 'B') row += Number(count)
    else if (move === 'K') rows[row] = ''
    else if (part === '\n') rows[++row] ??= ''
    else if (part !== '\r') rows[row] += part
    assert.ok(row >= 0 && row < rows.length, `row ${row} of ${rows.length}`)
  }
  return rows.filter(Boolean)
}

test('load draws a bar for each layer, in place, and says at the end what it loaded', async () => {
  for (const columns of [100, 40, 0]) {
    const { status, stdout } = await run(['--root', path(`bars${columns}`), 'load', '-i', path('big.tar')], columns)
    assert.equal(status, 0, stdout)
    assert.match(stdout, /Loading layer {2}\[=*>/)
    const shown = screenOf(stdout)
    const layers = big.map(layer => `${digestOf(layer).slice(7, 19)}: Loaded layer`)
    assert.deepEqual(shown.slice(0, -1).sort(), layers.sort())
    assert.equal(shown.at(-1), 'Loaded image: big:1')
    for (const part of partsOf(stdout)) assert.ok(part.length < (columns || 80), part)
  }
})

test('quiet, or as JSON, nothing is drawn', async () => {
  const { stdout } = await run(['--root', path('quiet'), '-q', 'load', '-i', path('big.tar')])
  assert.equal(stdout, 'Loaded image: big:1\r\n')
  const json = await run(['--root', path('json'), '--format', 'json', 'load', '-i', path('big.tar')])
  assert.deepEqual(JSON.parse(json.stdout).tags, ['big:1'])
})

test('an archive is not written to a terminal, nor read from one', async () => {
  await linesOf(['load', '-q', '-i', path('app.tar')], { root: path('app') })
  await linesOf(['create', '--name', 'box', 'app:v1'], { root: path('app') })
  for (const [words, said] of [
    [['save', 'app:v1'], /^phyllo: save: cowardly refusing to save to a terminal[^\n]*\r\n$/],
    [['save', '-o', '-', 'app:v1'], /^phyllo: save: cowardly refusing[^\n]*\r\n$/],
    [['cp', 'box:/etc', '-'], /^phyllo: cp: cowardly refusing[^\n]*\r\n$/],
    [['cp', '-', 'box:/etc'], /^phyllo: cp: a tar is expected on standard input[^\n]*\r\n$/],
    [['load'], /^phyllo: load: requested load from stdin, but stdin is empty[^\n]*\r\n$/],
    [['load', '-i', '-'], /^phyllo: load: requested load from stdin, but stdin is empty[^\n]*\r\n$/],
  ] as const) {
    const { status, stdout } = await run(['--root', path('app'), ...words])
    assert.equal(status, 2, words.join(' '))
    assert.match(stdout, said)
  }
  assert.equal((await run(['--root', path('app'), 'cat', 'app:v1', '/etc/motd'])).stdout, 'from the second layer\r\n')
})

test('Ctrl-C, typed during a load, ends it', async () => {
  const root = path('typed')
  const fifo = path('fifo')
  await ended(spawn('mkfifo', [fifo]))
  const child = onTerminal(['--root', root, 'load', '-i', fifo])
  const closed = ended(child)
  // It waits for somebody to write into the pipe.
  while (!existsSync(join(root, 'phyllo/stages')) || leftovers(root).length === 0) await sleep(20)
  child.stdin.write('\x03')
  const { status, stdout } = await closed
  assert.equal(status, 130, stdout)
  assert.match(stdout, /phyllo: INTERRUPTED: interrupted\r\n$/)
  assert.deepEqual(leftovers(root), [])
})
