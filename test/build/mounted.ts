/** A tmpfs of a test's own, by mount(8): with trusted xattrs of any length, devices and whiteouts. Gone afterwards with all mounts below it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

export function ownTmpfs(): string {
  const { directory, unmount } = mountTmpfs()
  after(unmount)
  return directory
}

/** The same for whoever is no test. */
export function mountTmpfs(): { readonly directory: string; readonly unmount: () => void } {
  const directory = mkdtempSync(join(tmpdir(), 'phyllo-mounted-'))
  execFileSync('mount', ['-t', 'tmpfs', 'none', directory])
  const unmount = () => {
    for (const point of mountPoints()
      .filter(point => point === directory || point.startsWith(`${directory}/`))
      .reverse())
      spawnSync('umount', ['-l', point])
    rmdirSync(directory)
  }
  return { directory, unmount }
}

/** In the order of mounting. */
export function mountPoints(): string[] {
  return mountsNow().map(({ point }) => point)
}

/** What the kernel says is mounted (proc_pid_mountinfo(5)). */
export function mountsNow(): { readonly point: string; readonly type: string; readonly options: readonly string[] }[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n')
  return lines.map(line => {
    const [before, behind] = line.split(' - ') as [string, string]
    const fields = before.split(' ')
    const point = fields[4]!.replace(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    )
    return { point, type: behind.split(' ')[0]!, options: fields[5]!.split(',') }
  })
}
