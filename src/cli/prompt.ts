/** Asks for one line on a terminal; a password without showing it. */
import { StringDecoder } from 'node:string_decoder'
import { type CommandContext, interruption, UsageError } from './command.js'
import type { Input } from './io.js'

/** What the keys send while the terminal takes them as they are. */
const keys = { interrupt: '\x03', end: '\x04', back: ['\x7f', '\b'] } as const

/** Bytes of a password, or of a line, on standard input. */
const bytesMax = 64 * 1024

/** @throws UsageError for a standard input that is no terminal */
export async function askUser(context: CommandContext, question: string): Promise<string> {
  const input = terminalOf(context)
  context.stdout.write(question)
  return readKeys(input, context, line => line)
}

/** The same for what nobody may read over a shoulder. */
export async function askSecret(context: CommandContext, question: string): Promise<string> {
  const input = terminalOf(context)
  context.stdout.write(question)
  input.setRawMode?.(true)
  try {
    return await readKeys(input, context, edited)
  } finally {
    input.setRawMode?.(false)
    context.stdout.write('\n')
  }
}

/** All of standard input, less the end of its line. */
export async function secretFromInput({ stdin, signal }: CommandContext): Promise<string> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of stdin().iterator({ destroyOnReturn: false })) {
    signal.throwIfAborted()
    parts.push(Buffer.from(part as Uint8Array))
    length += parts.at(-1)!.length
    if (length > bytesMax) throw new UsageError(`a password of more than ${bytesMax} bytes on standard input`)
  }
  return Buffer.concat(parts).toString('utf8').replace(/\n$/, '').replace(/\r$/, '')
}

function terminalOf({ stdin }: CommandContext): Input {
  const input = stdin()
  if (input.isTTY === true) return input
  throw new UsageError('Cannot perform an interactive login from a non TTY device')
}

/** What has come until a line is there, as `edit` makes it of all keys. */
function readKeys(input: Input, { signal }: CommandContext, edit: (keys: string) => string): Promise<string> {
  const decoder = new StringDecoder('utf8')
  let text = ''
  return new Promise<string>((resolve, reject) => {
    const leave = (settle: () => void) => {
      input.pause()
      input.off('data', taken).off('end', ended).off('error', failed)
      signal.removeEventListener('abort', aborted)
      settle()
    }
    const ended = () => leave(() => resolve(edit(text.split(/[\r\n]/)[0]!)))
    const failed = (error: unknown) => leave(() => reject(error))
    const aborted = () => failed(signal.reason)
    const taken = (part: Uint8Array) => {
      text += decoder.write(Buffer.from(part))
      if (text.includes(keys.interrupt)) failed(interruption('SIGINT'))
      else if (/[\r\n]/.test(text) || text === keys.end || text.length > bytesMax) ended()
    }
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    // It was paused when the line before was there.
    input.on('data', taken).on('end', ended).on('error', failed).resume()
  })
}

/** A terminal that takes keys as they are leaves it to us to take some back. */
function edited(typed: string): string {
  const characters: string[] = []
  for (const character of typed) {
    if (keys.back.some(key => key === character)) characters.pop()
    else if (character !== keys.end) characters.push(character)
  }
  return characters.join('')
}
