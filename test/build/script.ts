/**
 * Scripts of changes that a shell in a docker container and a container of ours both run: each command as the shell says it, and
 * as the call of node:fs. Paths are absolute; a command that fails is left at that, on both sides.
 */
import type { Container } from '../../src/index.js'
import type { TreeNodes } from './union-sequence.js'

type Arguments = (string | number)[]

/** A command and its arguments, which mean nothing else to a shell. */
export type Step = readonly [command: string, ...args: Arguments]

export interface Played {
  readonly steps: readonly Step[]
  /** Of each step. */
  readonly failed: readonly boolean[]
}

export interface Script {
  readonly name: string
  /** Base first. What they say of `/` means the directory of the script. */
  readonly layers: readonly TreeNodes[]
  /** Runs it in our container, below `top`. */
  play(box: Container, top: string): Played
}

interface Command {
  readonly shell: (...args: Arguments) => string
  readonly run: (box: Container, ...args: Arguments) => void
}

const command = <A extends Arguments>(
  shell: (...args: A) => string,
  run: (box: Container, ...args: A) => void,
): Command => ({ shell: shell as unknown as Command['shell'], run: run as unknown as Command['run'] })

/** Content is written to files alone: a fifo would wait. */
function fileOrNothing(box: Container, path: string): void {
  if (box.existsSync(path) && !box.statSync(path).isFile()) throw Object.assign(new Error(path), { code: 'EINVAL' })
}

const toFile = (path: string) => `{ [ -f ${path} ] || [ ! -e ${path} ]; }`

const commands: Readonly<Record<string, Command>> = {
  write: command(
    (path: string, data: string) => `${toFile(path)} && printf %s ${data} > ${path}`,
    (box, path: string, data: string) => {
      fileOrNothing(box, path)
      box.writeFileSync(path, data)
    },
  ),
  append: command(
    (path: string, data: string) => `${toFile(path)} && printf %s ${data} >> ${path}`,
    (box, path: string, data: string) => {
      fileOrNothing(box, path)
      box.appendFileSync(path, data)
    },
  ),
  truncate: command(
    (path, size) => `[ -f ${path} ] && truncate -s ${size} ${path}`,
    (box, path: string, size: number) => {
      fileOrNothing(box, path)
      box.truncateSync(path, size)
    },
  ),
  mkdir: command(
    path => `mkdir ${path}`,
    (box, path: string) => box.mkdirSync(path),
  ),
  rmdir: command(
    path => `rmdir ${path}`,
    (box, path: string) => box.rmdirSync(path),
  ),
  rm: command(
    path => `rm ${path}`,
    (box, path: string) => box.unlinkSync(path),
  ),
  'rm -r': command(
    path => `rm -r ${path}`,
    (box, path: string) => box.rmSync(path, { recursive: true }),
  ),
  mv: command(
    (from, to) => `mv -T ${from} ${to}`,
    (box, from: string, to: string) => box.renameSync(from, to),
  ),
  ln: command(
    (from, to) => `ln -T ${from} ${to}`,
    (box, from: string, to: string) => box.linkSync(from, to),
  ),
  'ln -s': command(
    (target, path) => `ln -sT ${target} ${path}`,
    (box, target: string, path: string) => box.symlinkSync(target, path),
  ),
  chmod: command(
    // Five digits say all bits of a directory, too.
    (path: string, mode: number) => `chmod ${mode.toString(8).padStart(5, '0')} ${path}`,
    (box, path: string, mode: number) => box.chmodSync(path, mode),
  ),
  chown: command(
    (path, uid, gid) => `chown -h ${uid}:${gid} ${path}`,
    (box, path: string, uid: number, gid: number) => box.lchownSync(path, uid, gid),
  ),
  touch: command(
    (path, seconds) => `touch -h -d @${seconds} ${path}`,
    (box, path: string, seconds: number) => box.lutimesSync(path, seconds, seconds),
  ),
  mkfifo: command(
    path => `mkfifo ${path}`,
    (box, path: string) => box.mkfifoSync(path),
  ),
  mknod: command(
    path => `mknod ${path} c 1 3`,
    (box, path: string) => box.mknodSync(path, 0o20666, { major: 1, minor: 3 }),
  ),
  setfattr: command(
    (path, name, value) => `setfattr -h -n ${name} -v ${value} ${path}`,
    (box, path: string, name: string, value: string) => box.setxattrSync(path, name, value, { follow: false }),
  ),
}

/** What the shell of a script needs beside itself. */
export const shellPrograms = 'mkdir rmdir rm mv ln chmod chown touch truncate mkfifo mknod setfattr'.split(' ')

/** For each step its command, and a line of output: whether it did not succeed. */
export function shellOf(steps: readonly Step[]): string {
  return steps.map(([name, ...args]) => `${commands[name]!.shell(...args)} 2>/dev/null && echo 0 || echo 1`).join('\n')
}

/** Whether the step failed. */
export function runStep(box: Container, [name, ...args]: Step): boolean {
  try {
    commands[name]!.run(box, ...args)
    return false
  } catch (error) {
    if (!/^E[A-Z]+$/.test((error as NodeJS.ErrnoException).code ?? '')) throw error
    return true
  }
}
