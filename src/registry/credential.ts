/** What a user has for one registry, and where it is kept. */

export type Credential =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** What a token server gave for a password, to be shown to it instead of that. */
  | { readonly kind: 'identity'; readonly username: string; readonly token: string }
  /** A Bearer token that is ready, so that no token server is asked. */
  | { readonly kind: 'registry'; readonly token: string }

export interface CredentialSource {
  /** Undefined: none. The key is `https://index.docker.io/v1/` or `host[:port]`. @throws REGISTRY_CREDENTIALS */
  get(key: string, signal?: AbortSignal): Promise<Credential | undefined>
}

/** As Docker keeps it. */
export interface CredentialStore extends CredentialSource {
  /** Answers with the path of the file in which it now stands as it is; undefined: nowhere. @throws REGISTRY_CREDENTIALS */
  set(key: string, credential: Credential, signal?: AbortSignal): Promise<string | undefined>
  /** False: there was none. @throws REGISTRY_CREDENTIALS */
  erase(key: string, signal?: AbortSignal): Promise<boolean>
}
