/**
 * How many cores the whole pool uses, counted in shared memory. A job holds one for as long as it runs; while fewer
 * than the limit are in use, it borrows one more for each block that it hands to the thread pool.
 *
 * Invariants:
 * - Borrowing never takes the count over the limit. Joining always succeeds (a job has its thread already), so the
 *   count may be over the limit until the blocks in flight are done.
 * - What a thread holds is also counted in a slot of its own, so that `reclaimCores` can give back what a killed
 *   thread held. Only the thread itself writes its slots while it lives.
 */
import { threadId } from 'node:worker_threads'

/** Layout in 32-bit words: limit, in use, then slots of (holder's thread id + 1 or 0, cores it holds). */
const limitAt = 0
const inUseAt = 1
const slotsAt = 2
const slotWords = 2
/** More jobs than this at once are counted, but not reclaimed when they are killed. */
const slotCount = 1024

export function createCores(count: number): SharedArrayBuffer {
  if (!Number.isInteger(count) || count < 1) throw new TypeError(`cores: ${count} is not a whole number from 1 on`)
  const cores = new SharedArrayBuffer(4 * (slotsAt + slotCount * slotWords))
  new Int32Array(cores)[limitAt] = count
  return cores
}

/** Cores in use now. */
export function coresInUse(cores: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(cores), inUseAt)
}

/** Takes one core if one is free. */
export function tryAcquire(cores: SharedArrayBuffer): boolean {
  const words = new Int32Array(cores)
  for (;;) {
    const inUse = Atomics.load(words, inUseAt)
    if (inUse >= words[limitAt]!) return false
    if (Atomics.compareExchange(words, inUseAt, inUse, inUse + 1) === inUse) return true
  }
}

/** Takes one core whether one is free or not; for a job, which has its thread already. */
export function acquire(cores: SharedArrayBuffer): void {
  Atomics.add(new Int32Array(cores), inUseAt, 1)
}

export function release(cores: SharedArrayBuffer): void {
  Atomics.sub(new Int32Array(cores), inUseAt, 1)
}

/** A job's share of the cores: one from joinCores() to leave(), and those that it borrows meanwhile. */
export interface CoreShare {
  /** One more core, if one is free. */
  tryBorrow(): boolean
  giveBack(): void
  /** Gives back everything. Idempotent. */
  leave(): void
}

export function joinCores(cores: SharedArrayBuffer): CoreShare {
  const words = new Int32Array(cores)
  const slot = claimSlot(words)
  let held = 1
  acquire(cores)
  const note = () => {
    if (slot !== undefined) Atomics.store(words, slot + 1, held)
  }
  note()
  return {
    tryBorrow() {
      if (!tryAcquire(cores)) return false
      held++
      note()
      return true
    },
    giveBack() {
      if (held < 2) throw new TypeError('no borrowed core to give back')
      release(cores)
      held--
      note()
    },
    leave() {
      if (held === 0) return
      Atomics.sub(words, inUseAt, held)
      held = 0
      note()
      if (slot !== undefined) Atomics.store(words, slot, 0)
    },
  }
}

/** Gives back what a thread held when it was killed. Call it when the thread is gone, with the id that it had. */
export function reclaimCores(cores: SharedArrayBuffer, deadThreadId: number): void {
  const words = new Int32Array(cores)
  for (let slot = slotsAt; slot < words.length; slot += slotWords) {
    if (Atomics.load(words, slot) !== deadThreadId + 1) continue
    Atomics.sub(words, inUseAt, Atomics.exchange(words, slot + 1, 0))
    Atomics.store(words, slot, 0)
  }
}

function claimSlot(words: Int32Array): number | undefined {
  for (let slot = slotsAt; slot < words.length; slot += slotWords) {
    if (Atomics.compareExchange(words, slot, 0, threadId + 1) === 0) return slot
  }
  return undefined
}
