/**
 * Names in layers are bytes, not text: `f\xff` and `f\xfe` are two files, and both decode to the same string.
 * A ByteString holds bytes in a string, one character (0 to 255) each. It is a Map key, compares in byte order, and
 * V8 stores it in one byte a character. It is turned into text only where a user asks for text.
 */
declare const brand: unique symbol
export type ByteString = string & { readonly [brand]: 'ByteString' }

export function byteString(bytes: Uint8Array, start = 0, end = bytes.length): ByteString {
  const view = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return view.toString('latin1', start, end) as ByteString
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
const beyondAscii = /[^\x00-\x7f]/

/** Whether the bytes and the text that they are in UTF-8 are one and the same string. */
export function isAscii(bytes: ByteString): boolean {
  return !beyondAscii.test(bytes)
}

/** The bytes of a text in UTF-8. */
export function fromText(text: string): ByteString {
  return (beyondAscii.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text) as ByteString
}

/** The text that the bytes are in UTF-8; what is not UTF-8 becomes U+FFFD. */
export function toText(bytes: ByteString): string {
  return beyondAscii.test(bytes) ? Buffer.from(bytes, 'latin1').toString('utf8') : bytes
}

export function toBytes(bytes: ByteString): Buffer {
  return Buffer.from(bytes, 'latin1')
}

/** For messages: text with control characters and what is not UTF-8 written as escapes, so that no name reaches a terminal raw. */
export function printable(bytes: ByteString | string): string {
  const text = JSON.stringify(toText(bytes as ByteString))
  return text
    .slice(1, -1)
    .replace(
      /[\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/g,
      c => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    )
}
