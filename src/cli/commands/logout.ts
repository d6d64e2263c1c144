import type { Command } from '../command.js'

export const command: Command = {
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  details: ['SERVER is host[:port] or a URL; default: Docker Hub. The registry is not asked.'],
  options: {},
  words: [0, 1],
  async run(context, [server]) {
    const store = await context.store()
    const loggedOut = await store.logout(server, { signal: context.signal })
    if (context.json) return context.print(JSON.stringify(loggedOut))
    context.print(
      loggedOut.erased ? `Removing login credentials for ${loggedOut.server}` : `Not logged in to ${loggedOut.server}`,
    )
  },
}
