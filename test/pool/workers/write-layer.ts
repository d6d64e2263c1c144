/** A stand-in for the real job, told by `label` how to behave: what a pool must survive is easier to ask for than to provoke. */
import { appendFileSync, openSync, writeSync } from 'node:fs'
import { threadId } from 'node:worker_threads'
import { PhylloError } from '../../../src/errors.js'
import type { DiffId } from '../../../src/oci/digest.js'
import { job } from '../../../src/pool/wire.js'
import { priorityOfThisThread } from '../../build/thread-priority.js'

export default job('write-layer', async ({ label, target }, { progress }) => {
  if (label === 'fail')
    throw new PhylloError('TAR_INVALID', 'at byte 512: bad checksum', { offset: 512, cause: new TypeError('inner') })
  if (label === 'errno') openSync('/nonexistent/file', 'r')
  if (label === 'exit') process.exit(3)
  if (label === 'write until killed') {
    const fd = openSync(target, 'w')
    for (let i = 0; ; i++) writeSync(fd, `${i}\n`)
  }
  if (label === 'step until stopped') {
    for (let i = 1; ; i++) {
      appendFileSync(target, `${i}\n`)
      progress(i)
      await new Promise(done => setTimeout(done, 5))
    }
  }
  progress(7)
  const diffId = `sha256:${'0'.repeat(64)}` as DiffId
  return {
    diffId,
    digest: diffId,
    tarBytes: 7,
    sizeBytes: 1,
    entries: 1,
    fileBytes: 9,
    warnings: [warningOf(label)],
  }
})

function warningOf(label: string): string {
  if (label === 'which thread') return `${threadId}`
  return label === 'which priority' ? `${priorityOfThisThread()}` : label
}
