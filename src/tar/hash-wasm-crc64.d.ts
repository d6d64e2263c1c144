/** hash-wasm's build of one algorithm. */
declare module 'hash-wasm/dist/crc64.umd.min.js' {
  const parts: Pick<typeof import('hash-wasm'), 'createCRC64'>
  export default parts
}
