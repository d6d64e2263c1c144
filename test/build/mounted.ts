/** A file system of a test's own, by mount(8); a tmpfs: with trusted xattrs of any length, devices and whiteouts. Gone afterwards with all mounts below it. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after } from 'node:test'

export function ownTmpfs(): string {
  const { directory, unmount } = mountTmpfs()
  after(unmount)
  return directory
}

/** The same for whoever is no test. */
export function mountTmpfs(): Mounted {
  return mountedAt(directory => execFileSync('mount', ['-t', 'tmpfs', 'none', directory]))
}

/** A tmpfs of so many bytes and inodes. */
export function ownSmallTmpfs(sizeBytes: number, inodes: number): string {
  const options = `size=${sizeBytes},nr_inodes=${inodes}`
  const { directory, unmount } = mountedAt(at => execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'none', at]))
  after(unmount)
  return directory
}

/** An ext4 of so many bytes and inodes in a file, nothing of it kept for root. */
export function ownExt4(sizeBytes: number, inodes: number): string {
  return ownImage('ext4', sizeBytes, ['-q', '-F', '-m', '0', '-N', `${inodes}`])
}

/** One that can share the bytes of files (FICLONE), in an image of 256 MiB. */
export function ownBtrfs(): string {
  return ownImage('btrfs', 2 ** 28, ['-q'])
}

function ownImage(type: string, sizeBytes: number, options: readonly string[]): string {
  const image = join(mkdtempSync(join(tmpdir(), 'phyllo-image-')), type)
  const { directory, unmount } = mountedAt(directory => {
    writeFileSync(image, '')
    truncateSync(image, sizeBytes)
    execFileSync(`mkfs.${type}`, [...options, image], { stdio: 'ignore' })
    execFileSync('mount', ['-o', 'loop', image, directory])
  })
  after(() => {
    unmount()
    rmSync(dirname(image), { recursive: true })
  })
  return directory
}

interface Mounted {
  readonly directory: string
  readonly unmount: () => void
}

function mountedAt(mount: (directory: string) => void): Mounted {
  const directory = mkdtempSync(join(tmpdir(), 'phyllo-mounted-'))
  mount(directory)
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
