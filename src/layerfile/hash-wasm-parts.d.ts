/** hash-wasm's builds of one algorithm each: loading all of them takes longer than reading a file of an image. */
declare module 'hash-wasm/dist/xxhash64.umd.min.js' {
  const parts: Pick<typeof import('hash-wasm'), 'createXXHash64'>
  export default parts
}

declare module 'hash-wasm/dist/xxhash32.umd.min.js' {
  const parts: Pick<typeof import('hash-wasm'), 'createXXHash32'>
  export default parts
}
