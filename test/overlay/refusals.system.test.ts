/** Every refusal of a view against the kernel: an overlay mount without an upper, in a mount namespace of its own. Needs root. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createView } from '../../src/overlay/face/view.js'
import { layersOf, symlink } from '../build/memory-layer.js'
import { fill, links, type Outcomes, outcomes } from '../build/read-only-operations.js'

const program = fileURLToPath(new URL('../build/read-only-operations.js', import.meta.url))

test('what the kernel says on a read-only overlay mount, a view says, word for word', () => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'view-read-only-'))
  try {
    const [base, top, merged] = ['base', 'top', 'merged'].map(name => path.join(work, name)) as [string, string, string]
    for (const directory of [base, top, merged]) fs.mkdirSync(directory)
    fill(base, top)
    const script = 'mount -t overlay overlay -o "lowerdir=$1:$2" "$3" && exec "$4" "$5" "$3"'
    const args = ['-m', 'sh', '-c', script, 'sh', top, base, merged, process.execPath, program]
    const kernel = JSON.parse(execFileSync('unshare', args, { encoding: 'utf8' })) as Outcomes
    const view = createView(
      layersOf(
        { dir: {}, low: 'low' },
        {
          dir: { sub: {}, x: 'x' },
          file: 'hi',
          ...Object.fromEntries(links.map(([name, target]) => [name, symlink(target)])),
        },
      ),
    )
    assert.deepEqual(outcomes(view as unknown as typeof fs, ''), kernel)
    assert.ok(Object.keys(kernel).length > 700)
  } finally {
    fs.rmSync(work, { recursive: true, force: true })
  }
})
