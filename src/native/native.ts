/**
 * The door to native libraries: koffi, an optional dependency, and the shared libraries that the machine happens to
 * have. Whatever is missing is `undefined`, never an error: every caller has a way without it.
 *
 * Invariant: nothing is loaded before it is asked for, and `PHYLLO_NATIVE=0` answers every question with `undefined`.
 */

/** What may be handed to a C function: numbers, bytes (a pointer to their first byte), or null. */
export type NativeArgument = number | bigint | Uint8Array | string | null | readonly number[]

/** A C function. `async` runs it on libuv's thread pool; its last argument is `(error, result) => void`. */
export interface NativeFunction {
  (...args: readonly NativeArgument[]): unknown
  readonly async: (...args: readonly [...NativeArgument[], (error: unknown, result: unknown) => void]) => void
}

export interface NativeLibrary {
  /** `signature` is a C prototype. Throws when the library has no such symbol. */
  func(signature: string): NativeFunction
}

/** The part of koffi that is used here, with types that hold. */
export interface Koffi {
  load(path: string): NativeLibrary
  /** errno of the last call on this thread; inside the callback of an async call, of that call. */
  errno(): number
  /** Where the bytes of a buffer are; it does not move as long as it lives. */
  address(bytes: Uint8Array): bigint
  readonly os: { readonly errno: Readonly<Record<string, number>> }
}

/** Looked at on every call, so that a test or an embedding program may change it. */
export function nativeEnabled(): boolean {
  return process.env.PHYLLO_NATIVE !== '0'
}

/** koffi, or undefined where the package or its part for this platform is not installed, or native code is off. */
export async function loadKoffi(): Promise<Koffi | undefined> {
  if (!nativeEnabled()) return undefined
  const loaded = await import('koffi').then(
    module => module.default,
    () => undefined, // not installed, or no prebuilt part for this platform: both mean that there is none
  )
  return loaded as Koffi | undefined
}

/** The first library of these names that the machine has, with the koffi that loaded it. */
export async function loadLibrary(
  names: readonly string[],
): Promise<{ readonly koffi: Koffi; readonly library: NativeLibrary } | undefined> {
  const koffi = names.length === 0 ? undefined : await loadKoffi()
  if (koffi === undefined) return undefined
  for (const name of names) {
    const library = tryLoad(koffi, name)
    if (library !== undefined) return { koffi, library }
  }
  return undefined
}

function tryLoad(koffi: Koffi, name: string): NativeLibrary | undefined {
  try {
    return koffi.load(name)
  } catch {
    return undefined // dlopen says why in text only; for us every reason means that the library is not usable
  }
}
