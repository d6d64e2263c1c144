/** The APIs that a registry may have below its base URL. */

export interface Api {
  /** Ends with a slash. */
  readonly root: string
  /** Below the root: what is asked first, to find out whether and how the registry answers. */
  readonly ping: string
  /** Statuses of that answer with which one goes on; 401 is one always. */
  readonly alive: readonly number[]
}

/** The distribution-spec: all that images need. */
export const distribution: Api = { root: 'v2/', ping: '', alive: [200] }

/** What Docker Hub and some others still have for searching. A registry that does not know its ping may know its search. */
export const legacy: Api = { root: 'v1/', ping: '_ping', alive: [200, 404] }
