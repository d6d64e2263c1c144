/**
 * Images that a real dockerd makes out of a real distribution. Needs root, the network, and the Debian packages
 * debootstrap, docker.io, skopeo, attr and libcap2-bin; takes some minutes.
 */
import { execFile } from 'node:child_process'
import { chmod, chown, link, mkdir, mkdtemp, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { type Dockerd, startDockerd } from '../test/build/dockerd.js'
import { remove } from './places.js'

const execute = promisify(execFile)
const suite = 'bookworm'
const baseImage = `deb:${suite}`

/** What the application of app:v1 is made of: packages with many small files, and some large ones. */
const npmPackages = 'express typescript webpack react react-dom lodash moment @types/node eslint prettier next vite'

async function run(program: string, args: readonly string[], cwd?: string): Promise<string> {
  try {
    return (await execute(program, args, { cwd, maxBuffer: 2 ** 26 })).stdout
  } catch (error) {
    const { code, stderr } = error as { readonly code?: string | number; readonly stderr?: string }
    if (code === 'ENOENT') throw new Error(`${program} is missing; the head of bench/real-inputs.ts says what it needs`)
    throw new Error(`${program} ${args.join(' ')}: status ${code}: ${stderr?.slice(-2000)}`)
  }
}

/** A folder beside the target, on the same file system, for as long as the work takes. */
async function inFolderBeside(path: string, work: (folder: string) => Promise<string>): Promise<void> {
  const folder = await mkdtemp(join(dirname(path), 'making-'))
  try {
    await rename(await work(folder), path)
  } finally {
    await remove(folder)
  }
}

export function writeBase(path: string): Promise<void> {
  return inFolderBeside(path, async folder => {
    const [root, tar] = [join(folder, 'root'), join(folder, 'base.tar')]
    await run('debootstrap', ['--variant=minbase', suite, root])
    await run('tar', ['-C', root, '--numeric-owner', '--xattrs', '-cf', tar, '.'])
    return tar
  })
}

export function writeAppOci(path: string, app: string): Promise<void> {
  return inFolderBeside(path, async folder => {
    const tar = join(folder, 'oci.tar')
    await run('skopeo', ['copy', '-q', `docker-archive:${app}`, `oci-archive:${tar}:app:v1`])
    return tar
  })
}

/** Starts a daemon that knows the base image; `work` answers with the image to save. */
function saved(path: string, base: string, work: (dockerd: Dockerd, context: string) => Promise<string>) {
  return inFolderBeside(path, async folder => {
    // The sockets of the daemon need a short path; its data may be large.
    const state = await mkdtemp(join(tmpdir(), 'phyllo-dockerd-'))
    try {
      await using dockerd = await startDockerd(state, join(folder, 'data'))
      await dockerd.docker('import', base, baseImage)
      const context = join(folder, 'context')
      await mkdir(context)
      const image = await work(dockerd, context)
      const tar = join(folder, 'saved.tar')
      await dockerd.docker('save', '-o', tar, image)
      return tar
    } finally {
      await unmountBelow(state)
      await remove(state)
    }
  })
}

/** A daemon leaves the network namespace mounted that it has run builds in. */
async function unmountBelow(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map(line => line.split(' ')[1] ?? '')
  for (const path of mounts.filter(mount => mount.startsWith(`${folder}/`))) await run('umount', ['-l', path])
}

/** Seven layers: a distribution, two sets of packages, a working directory, an application, and two layers of changes. */
export function writeApp(path: string, base: string): Promise<void> {
  return saved(path, base, async (dockerd, context) => {
    const app = join(context, 'app')
    await mkdir(app)
    await run('npm', ['init', '-y'], app)
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund']
    await run('npm', ['install', ...quiet, ...npmPackages.split(' ')], app)
    const install = 'apt-get update && apt-get install -y --no-install-recommends'
    const steps = [
      `FROM ${baseImage}`,
      'ENV DEBIAN_FRONTEND=noninteractive',
      `RUN ${install} nginx-light ca-certificates curl && rm -rf /var/lib/apt/lists/*`,
      `RUN ${install} python3 python3-pip nodejs npm && apt-get clean`,
      'WORKDIR /srv/app',
      'COPY app/ ./',
      'RUN rm -rf /usr/share/doc /usr/share/man /var/lib/apt/lists /etc/nginx/nginx.conf && mkdir /usr/share/doc',
      'RUN mv /usr/share/locale /usr/share/lang && ln -s lang /usr/share/locale && chmod 700 /root && mkfifo /tmp/pipe',
      'CMD ["nginx", "-g", "daemon off;"]',
    ]
    await writeFile(join(context, 'Dockerfile'), `${steps.join('\n')}\n`)
    await dockerd.docker('build', '--network', 'host', '-q', '-t', 'app:v1', context)
    return 'app:v1'
  })
}

/** Two layers of a few files, the upper one with everything that a layer can hold. */
export function writeSmall(path: string, base: string): Promise<void> {
  return saved(path, base, async (dockerd, context) => {
    await mkdir(join(context, 'root/a/b'), { recursive: true })
    await mkdir(join(context, 'root/etc'))
    const lower = {
      'a/one': 'one',
      'a/b/two': 'two',
      'etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
      gone: 'x',
      large: 'x'.repeat(70_000),
    }
    for (const [name, text] of Object.entries(lower)) await writeFile(join(context, 'root', name), text)
    await link(join(context, 'root/a/one'), join(context, 'root/a/hard'))
    const tar = join(context, 'lower.tar')
    await run('tar', ['-C', join(context, 'root'), '--numeric-owner', '--owner=0', '--group=0', '-cf', tar, '.'])
    await dockerd.docker('import', tar, 'small:v0')
    const id = (await dockerd.docker('create', 'small:v0', '/bin/true')).trim()
    await fillUpper((await dockerd.docker('inspect', '-f', '{{.GraphDriver.Data.UpperDir}}', id)).trim())
    await dockerd.docker('commit', '-m', 'every kind of entry', id, 'small:v1')
    return 'small:v1'
  })
}

/** Changes a container's own writable layer, which can say what no command in it could. */
async function fillUpper(upper: string): Promise<void> {
  const at = (name: string) => join(upper, name)
  for (const name of ['a/b', 'a/new', 'tmp']) await mkdir(at(name), { recursive: true })
  await run('mknod', [at('gone'), 'c', '0', '0'])
  await run('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', at('a/b')])
  const files = { 'a/b/fresh': 'fresh', 'a/new/x': 'x', 'ü中文 name': 'u', 'tmp/cap': 'cap' }
  for (const [name, text] of Object.entries(files)) await writeFile(at(name), text)
  await link(at('a/new/x'), at('a/new/y'))
  await symlink('/a/new/x', at('absolute'))
  await run('mkfifo', [at('tmp/fifo')])
  await run('mknod', [at('tmp/null'), 'c', '1', '3'])
  await chown(at('a/new/x'), 1234, 4321)
  await utimes(at('a/new/x'), 981_173_106, 981_173_106)
  await chmod(at('tmp'), 0o1777)
  await chmod(at('tmp/cap'), 0o4755)
  await run('setcap', ['cap_net_raw+ep', at('tmp/cap')])
}
