/** hash-wasm's build of one algorithm. */
declare module 'hash-wasm/dist/crc32.umd.min.js' {
  const parts: Pick<typeof import('hash-wasm'), 'createCRC32'>
  export default parts
}
