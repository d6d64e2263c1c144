/**
 * A process that does one operation of crash-operations.ts, to be killed on the way:
 * `node crash-process.js OPERATION DRIVER DIRECTORY`.
 *
 * It does it first with a copy of everything, `DIRECTORY/warm`, so that modules are loaded and threads run, and then
 * waits. Lines that it writes: `ready TID,…` with the threads of the pool; after a line of input it begins; `told N`
 * when the N-th step is done; `done`.
 */
import { readdirSync, readSync, writeSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Pool } from '../../src/pool/pool.js'
import { crashOperations, runOperation } from './crash-operations.js'

const [name, driver, directory] = process.argv.slice(2) as [string, 'packed' | 'overlay2', string]
const operation = crashOperations.find(operation => operation.name === name)!
const pool = new Pool({ workers: 2 })

/** Node's own pool of threads has all of its threads from the first call on. */
await stat(directory)
const before = new Set(readdirSync('/proc/self/task'))
await runOperation(operation, { driver, dir: join(directory, 'warm'), pool, told: () => undefined })
const threads = readdirSync('/proc/self/task').filter(tid => !before.has(tid))
writeSync(1, `ready ${threads}\n`)
readSync(0, Buffer.alloc(10))
let steps = 0
const told = () => void writeSync(1, `told ${++steps}\n`)
await runOperation(operation, { driver, dir: join(directory, 'real'), pool, told })
writeSync(1, 'done\n')
process.exit()
