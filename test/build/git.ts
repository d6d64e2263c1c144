/** git itself, deaf to the settings of this machine and its user, and bare repositories of it over HTTP on loopback. */
import { execFileSync, spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { devNull } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'

const who = { name: 'A. Author', email: 'author@example.com' }
const when = '1000000000 +0200'

const { GIT_DIR: _dir, GIT_WORK_TREE: _tree, GIT_INDEX_FILE: _index, ...inherited } = process.env
const env = {
  ...inherited,
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: devNull,
  GIT_CONFIG_COUNT: '2',
  GIT_CONFIG_KEY_0: 'init.defaultBranch',
  GIT_CONFIG_VALUE_0: 'main',
  GIT_CONFIG_KEY_1: 'safe.directory',
  GIT_CONFIG_VALUE_1: '*',
  GIT_AUTHOR_NAME: who.name,
  GIT_AUTHOR_EMAIL: who.email,
  GIT_AUTHOR_DATE: when,
  GIT_COMMITTER_NAME: who.name,
  GIT_COMMITTER_EMAIL: who.email,
  GIT_COMMITTER_DATE: when,
}

/** What it writes to standard output, without the last newline. Fails if git does. */
export function git(cwd: string, ...args: string[]): string {
  return execFileSync('git', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).replace(/\n$/, '')
}

/** Serves the repositories below a folder by `git http-backend`, for reading and pushing, until the test ends. Gives the URL. */
export async function serveGit(t: TestContext, projects: string): Promise<string> {
  const program = join(git(projects, '--exec-path'), 'git-http-backend')
  try {
    accessSync(program, constants.X_OK)
  } catch (cause) {
    throw new Error(`git's own HTTP server is needed and is not there: ${program}`, { cause })
  }
  const server = createServer((request, response) => answer(program, projects, request, response))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** One request as CGI/1.1 (RFC 3875) has it: variables, the body on standard input, header and body on standard output. */
function answer(program: string, projects: string, request: IncomingMessage, response: ServerResponse): void {
  const { pathname, search } = new URL(request.url ?? '/', 'http://localhost')
  const { headers } = request
  const child = spawn(program, {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: {
      ...env,
      GIT_PROJECT_ROOT: projects,
      GIT_HTTP_EXPORT_ALL: '1',
      GATEWAY_INTERFACE: 'CGI/1.1',
      REQUEST_METHOD: request.method,
      PATH_INFO: decodeURIComponent(pathname),
      QUERY_STRING: search.slice(1),
      REMOTE_USER: 'somebody',
      REMOTE_ADDR: '127.0.0.1',
      CONTENT_TYPE: headers['content-type'],
      CONTENT_LENGTH: headers['content-length'],
      HTTP_CONTENT_ENCODING: headers['content-encoding'],
      HTTP_GIT_PROTOCOL: headers['git-protocol'] as string | undefined,
    },
  })
  request.pipe(child.stdin).on('error', () => undefined)
  let head = Buffer.alloc(0)
  const onHead = (bytes: Buffer) => {
    head = Buffer.concat([head, bytes])
    const end = head.indexOf('\r\n\r\n')
    if (end === -1) return
    const fields = head.toString('latin1', 0, end).split('\r\n')
    const pairs = fields.map(field => /^([^:]*): *(.*)$/.exec(field)!.slice(1) as [string, string])
    for (const [name, value] of pairs) {
      if (name === 'Status') response.statusCode = Number.parseInt(value, 10)
      else response.setHeader(name, value)
    }
    response.write(head.subarray(end + 4))
    child.stdout.off('data', onHead).pipe(response)
  }
  child.stdout.on('data', onHead)
  child.on('close', () => response.end())
}
