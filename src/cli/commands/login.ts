import type { LoggedIn } from '../../index.js'
import { type Command, type CommandContext, type Options, UsageError } from '../command.js'
import { askSecret, askUser, secretFromInput } from '../prompt.js'

export const command: Command = {
  usage: '[-u USER] [-p PASSWORD | --password-stdin] [SERVER]',
  summary: 'Log in to a registry',
  details: [
    'SERVER is host[:port] or a URL; default: Docker Hub.',
    '-u, --username USER   asked for where it is missing and this is a terminal',
    '-p, --password PASS   seen by everybody on this machine: rather',
    '--password-stdin      read the password from standard input',
    'Without any of them, credentials that are kept for the server are tried first.',
    'They are kept where Docker keeps them: in config.json of $DOCKER_CONFIG or ~/.docker, or by the helper that it names.',
  ],
  options: {
    username: { type: 'string', short: 'u' },
    password: { type: 'string', short: 'p' },
    'password-stdin': { type: 'boolean' },
  },
  words: [0, 1],
  asksRegistry: true,
  async run(context, [server], options) {
    const given = await givenBy(context, options)
    const existing = given.username === undefined && given.password === undefined
    const loggedIn = (existing && (await withKept(context, server))) || (await withAsked(context, server, given))
    tell(context, loggedIn)
  },
}

interface Given {
  readonly username: string | undefined
  readonly password: string | undefined
}

async function givenBy(context: CommandContext, { username, password, ...options }: Options): Promise<Given> {
  const fromInput = options['password-stdin'] === true
  if (fromInput && password !== undefined)
    throw new UsageError('login: --password and --password-stdin are mutually exclusive')
  if (fromInput && !username) throw new UsageError('login: Must provide --username with --password-stdin')
  if (password !== undefined)
    context.stderr.write('WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n')
  return {
    username: typeof username === 'string' && username !== '' ? username : undefined,
    password: fromInput ? await secretFromInput(context) : typeof password === 'string' ? password : undefined,
  }
}

/** Undefined: there are none, or they are not taken and somebody can be asked. */
async function withKept(context: CommandContext, server: string | undefined): Promise<LoggedIn | undefined> {
  const { signal, stderr } = context
  const store = await context.store()
  if ((await store.registryUser(server, { signal })) === undefined) return undefined
  if (!context.quiet) stderr.write('Authenticating with existing credentials...\n')
  try {
    return await store.login(server, { signal })
  } catch (error) {
    if (signal.aborted || context.stdin().isTTY !== true) throw error
    stderr.write(`Login did not succeed, error: ${(error as Error).message}\n`)
    return undefined
  }
}

async function withAsked(context: CommandContext, server: string | undefined, given: Given): Promise<LoggedIn> {
  const { signal } = context
  const store = await context.store()
  const kept = given.username === undefined ? await store.registryUser(server, { signal }) : undefined
  const username =
    given.username ?? ((await askUser(context, kept ? `Username (${kept}): ` : 'Username: ')).trim() || kept)
  if (!username) throw new UsageError('login: Non-null Username Required')
  const password = given.password ?? (await askSecret(context, 'Password: '))
  if (password === '') throw new UsageError('login: Password Required')
  return store.login(server, { username, password, signal })
}

function tell(context: CommandContext, loggedIn: LoggedIn): void {
  const { unencryptedIn } = loggedIn
  if (unencryptedIn !== undefined)
    context.stderr.write(
      `WARNING! Your password will be stored unencrypted in ${unencryptedIn}.\n` +
        'Configure a credential helper to remove this warning. See\n' +
        'https://docs.docker.com/engine/reference/commandline/login/#credentials-store\n\n',
    )
  context.print(context.json ? JSON.stringify(loggedIn) : 'Login Succeeded')
}
