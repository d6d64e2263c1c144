/** What a store asks registries with. Loaded when the first one is asked. */
import type { Limits } from '../limits.js'
import { RegistryClient } from '../registry/client.js'
import type { CredentialSource } from '../registry/credential.js'
import { DockerConfig } from '../registry/docker-config.js'
import type { RegistryOptions } from '../registry/options.js'
import { checkProxies, environmentProxies } from '../registry/proxies.js'
import { type MirrorOptions, Mirrors } from './mirrors.js'

export interface StoreRegistryOptions extends RegistryOptions, MirrorOptions {
  /**
   * Path of a dockerd's daemon.json, whose `registry-mirrors` and `insecure-registries` count as well, behind those that
   * are given here, and whose `proxies` stand before the environment's, each for itself. None is read unless it is named.
   */
  readonly daemonJson?: string
}

export interface Registries {
  readonly client: RegistryClient
  readonly mirrors: Mirrors
  readonly credentials: CredentialSource
}

/** @throws TypeError for options, INPUT_IO, LIMIT_EXCEEDED, CONFIG_INVALID for the daemon.json */
export async function connect(
  options: StoreRegistryOptions,
  limits: Limits,
  env: NodeJS.ProcessEnv = process.env,
): Promise<Registries> {
  // Own properties alone, as the client does.
  const own = Object.assign(Object.create(null), options) as StoreRegistryOptions
  const { registryMirrors = [], insecureRegistries = [], mirrors, daemonJson } = own
  const checked = new Mirrors({ registryMirrors, ...(mirrors && { mirrors }) })
  const credentials = own.credentials ?? new DockerConfig()
  const { proxies = environmentProxies(env) } = own
  if (own.proxies !== undefined) checkProxies(own.proxies)
  const given = { limits, ...own, credentials, proxies }
  if (daemonJson === undefined) return { client: new RegistryClient(given), mirrors: checked, credentials }
  const { readDaemonJson } = await import('./daemon-json.js')
  const daemon = await readDaemonJson(daemonJson, limits)
  return {
    client: new RegistryClient({
      ...given,
      insecureRegistries: [...insecureRegistries, ...daemon.insecureRegistries],
      proxies: own.proxies ?? { ...proxies, ...daemon.proxies },
    }),
    mirrors: new Mirrors({
      registryMirrors: [...registryMirrors, ...daemon.registryMirrors],
      ...(mirrors && { mirrors }),
    }),
    credentials,
  }
}
