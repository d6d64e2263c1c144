/** Names and arities of functions, to be compared with node:fs's. */
import fs from 'node:fs'

type Shape = readonly [key: string, name: string, length: number]

/** Of an object's functions that node:fs has, too, and of node:fs's own. */
export function shapes(face: { readonly promises: object }): [Shape[], Shape[]] {
  const ours = [...shapesOf(face, fs), ...shapesOf(face.promises, fs.promises)]
  return [ours, [...shapesOf(fs, fs), ...shapesOf(fs.promises, fs.promises)]]
}

function shapesOf(functions: object, host: object): Shape[] {
  return Object.keys(host).flatMap(key => {
    const value = (functions as Record<string, unknown>)[key]
    return typeof value === 'function' ? [[key, value.name, value.length] as const] : []
  })
}
