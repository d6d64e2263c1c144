import type { Mutant } from './mutant.js'

const proxies = 'test/registry/proxies.test.ts'
const failures = 'test/registry/proxy-failures.test.ts'
const daemonJson = 'test/distribution/daemon-json.test.ts'

export const mutants: readonly Mutant[] = [
  {
    name: 'what a registry is asked over https goes to the proxy in the clear',
    file: 'src/registry/connections.ts',
    find: "through !== undefined && url.protocol === 'http:'",
    replace: 'through !== undefined',
    test: proxies,
  },
  {
    name: 'the credentials of a proxy go along the tunnel',
    file: 'src/registry/connections.ts',
    find: 'return undici.request(url, { ...sent, dispatcher: agent })',
    replace:
      'return undici.request(url, { ...sent, headers: { ...sent.headers, ...(through && credentialsOf(through)) }, dispatcher: agent })',
    test: proxies,
  },
  {
    name: 'this machine is asked through a proxy',
    file: 'src/registry/no-proxy.ts',
    find: 'if (literal === undefined ? isLocalhost(name) : isLoopback(literal)) return true',
    replace: '',
    test: proxies,
  },
  {
    name: 'a port in NO_PROXY is passed over',
    file: 'src/registry/no-proxy.ts',
    find: "(port === '' || port === asked) && ",
    replace: '',
    test: proxies,
  },
  {
    name: 'a suffix in NO_PROXY is the end of any name',
    file: 'src/registry/no-proxy.ts',
    find: "(tail === '' ? ",
    replace: "(tail === '' || name !== '' ? ",
    test: proxies,
  },
  {
    name: 'a redirect and a token server have no proxy',
    file: 'src/registry/reach.ts',
    find: 'const way = await this.#wayTo(url)',
    replace: 'const way: Partial<Reach> = {}',
    test: proxies,
  },
  {
    name: 'a name is insecure as far as a subnet that the proxy alone sees',
    file: 'src/registry/reach.ts',
    find: 'return through !== undefined && allows !== undefined',
    replace: 'return through === undefined && allows === undefined',
    test: proxies,
  },
  {
    name: 'an error tells the whole of a proxy’s URL',
    file: 'src/registry/proxies.ts',
    find: 'return { origin: url.origin, authorization:',
    replace: 'return { origin: url.href, authorization:',
    test: failures,
  },
  {
    name: 'the password of a proxy is sent as it is written, not as it is meant',
    file: 'src/registry/proxies.ts',
    find: 'return decodeURIComponent(text)',
    replace: 'return decodeURIComponent(text) && text',
    test: proxies,
  },
  {
    name: 'a 407 in the clear is taken for the registry’s',
    file: 'src/registry/exchange.ts',
    find: '    refuseProxys(reach, url, answer)\n',
    replace: '',
    test: failures,
  },
  {
    name: 'what a proxy did not reach is not tried again',
    file: 'src/registry/exchange.ts',
    find: ' || isPassingProxy(error)) return true',
    replace: ') return true',
    test: failures,
  },
  {
    name: 'a proxy that refuses a tunnel ends an insecure registry',
    file: 'src/registry/session.ts',
    find: ' || refusesTunnel(error))',
    replace: ')',
    test: failures,
  },
  {
    name: 'a proxy that wants credentials is passed by over http',
    file: 'src/registry/proxy-failure.ts',
    find: ' && proxyStatus !== 407',
    replace: '',
    test: failures,
  },
  {
    name: 'connections with a proxy stay when the client is closed',
    file: 'src/registry/connections.ts',
    find: '...this.#proxies.values(), ',
    replace: '',
    test: failures,
  },
  {
    name: 'what a URL is imported from has no proxy',
    file: 'src/registry/client.ts',
    find: 'return wayTo === undefined ?',
    replace: 'return wayTo !== undefined ?',
    test: 'test/archive/import.test.ts',
  },
  {
    name: 'the environment stands before a daemon.json',
    file: 'src/distribution/connect.ts',
    find: '{ ...proxies, ...daemon.proxies }',
    replace: '{ ...daemon.proxies, ...proxies }',
    test: daemonJson,
  },
  {
    name: 'no proxies at all are those of the environment',
    file: 'src/distribution/connect.ts',
    find: 'const { proxies = environmentProxies(env) } = own',
    replace: 'const proxies = own.proxies || environmentProxies(env)',
    test: daemonJson,
  },
]
