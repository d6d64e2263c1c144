/** What is asked on a terminal: lines, passwords that are not shown, and how asking ends. */
import assert from 'node:assert/strict'
import { PassThrough, Readable, Writable } from 'node:stream'
import { test } from 'node:test'
import type { CommandContext } from '../../src/cli/command.js'
import { askSecret, askUser, secretFromInput } from '../../src/cli/prompt.js'

function terminal({ isTTY = true }: { isTTY?: boolean } = {}) {
  const raw: boolean[] = []
  const stdin = Object.assign(new PassThrough(), { isTTY, setRawMode: (mode: boolean) => void raw.push(mode) })
  const said: string[] = []
  const stdout = new Writable({
    write(part, _encoding, done) {
      said.push(String(part))
      done()
    },
  })
  const stop = new AbortController()
  const context = { stdin: () => stdin, stdout, signal: stop.signal } as unknown as CommandContext
  return { context, stdin, raw, stop, shown: () => said.splice(0).join('') }
}

test('a line is what was typed before its end', async () => {
  const { context, stdin, raw, shown } = terminal()
  const asked = askUser(context, 'Username: ')
  stdin.write('ali')
  stdin.write('ce\n')
  assert.equal(await asked, 'alice')
  assert.deepEqual([raw, shown()], [[], 'Username: '])
})

test('a password is taken key by key, and not shown', async () => {
  const { context, stdin, raw, shown } = terminal()
  const asked = askSecret(context, 'Password: ')
  for (const key of ['s', 'é', 'x', '\x7f', 'c', '\b', '…', '\r']) stdin.write(key)
  assert.equal(await asked, 'sé…')
  assert.deepEqual([raw, shown()], [[true, false], 'Password: \n'])
})

test('one after the other on the same terminal, which is left alone in between', async () => {
  const { context, stdin, raw } = terminal()
  const name = askUser(context, 'Username: ')
  stdin.write('alice\n')
  assert.equal(await name, 'alice')
  assert.ok(stdin.isPaused())
  const password = askSecret(context, 'Password: ')
  stdin.write('secret\r')
  assert.equal(await password, 'secret')
  assert.deepEqual([raw, stdin.isPaused()], [[true, false], true])
})

test('a character whose bytes come one by one is one', async () => {
  const { context, stdin } = terminal()
  const asked = askSecret(context, '')
  for (const byte of Buffer.from('€\r')) {
    stdin.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  assert.equal(await asked, '€')
})

test('the end of the input, and Ctrl-D, are the end of an empty line', async () => {
  for (const end of ['\x04', undefined]) {
    const { context, stdin, raw } = terminal()
    const asked = askSecret(context, '')
    if (end === undefined) stdin.end()
    else stdin.write(end)
    assert.equal(await asked, '')
    assert.deepEqual(raw, [true, false])
  }
})

test('Ctrl-C, and a signal, end it, and the terminal is as it was', async () => {
  const keys = terminal()
  const typed = askSecret(keys.context, '')
  keys.stdin.write('sec\x03')
  await assert.rejects(typed, { code: 'INTERRUPTED', status: 130 })
  const signalled = terminal()
  const waiting = askSecret(signalled.context, '')
  signalled.stop.abort(new Error('enough'))
  await assert.rejects(waiting, /enough/)
  assert.deepEqual(
    [keys.raw, signalled.raw],
    [
      [true, false],
      [true, false],
    ],
  )
})

test('nobody is asked who is no terminal', async () => {
  const { context, shown } = terminal({ isTTY: false })
  await assert.rejects(askUser(context, '?'), /Cannot perform an interactive login from a non TTY device/)
  await assert.rejects(askSecret(context, '?'), /non TTY/)
  assert.equal(shown(), '')
})

test('from standard input: one end of a line less, and not more than a password can be', async () => {
  const read = (text: string | Buffer) =>
    secretFromInput({
      stdin: () => Readable.from([Buffer.from(text)]),
      signal: new AbortController().signal,
    } as unknown as CommandContext)
  for (const [text, secret] of [
    ['secret', 'secret'],
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    [' a b \t', ' a b \t'],
    ['', ''],
  ] as const)
    assert.equal(await read(text), secret, JSON.stringify(text))
  await assert.rejects(read(Buffer.alloc(65_537, 'x')), /more than 65536 bytes/)
})
