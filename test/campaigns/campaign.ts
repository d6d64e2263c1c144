/** A proof that takes too long for every commit: run by hand, its outcome recorded in docs/campaigns.md. */
export interface Campaign {
  readonly name: string
  /** One sentence: what it shows. */
  readonly description: string
  run(options: CampaignOptions): Promise<CampaignResult>
}

export interface CampaignOptions {
  /** How long it may take; it stops at the end of the round that passes this. */
  readonly minutes: number
  /** The first seed; a campaign derives all others from it. */
  readonly seed: number
  /** Progress, for whoever watches. */
  log(line: string): void
}

export interface CampaignResult {
  /** What was done and how often: rounds, kills, operations. */
  readonly counts: Readonly<Record<string, number>>
  /** Enough to do it again; of a failure, the one that failed. */
  readonly seeds: readonly string[]
  readonly ok: boolean
}
