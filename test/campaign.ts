/**
 * `npm run campaign -- NAME [--minutes N] [--seed N] [--record]`: one long proof of test/campaigns/. `--record` appends
 * what was run, on what, and how it went to docs/campaigns.md. Without a name it lists them.
 */
import { execFileSync } from 'node:child_process'
import { appendFileSync, readdirSync } from 'node:fs'
import { availableParallelism, release } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { compiledRoot, repoRoot } from './build/repo.js'
import type { Campaign, CampaignResult } from './campaigns/campaign.js'

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000) },
      record: { type: 'boolean', default: false },
    },
  })
  const campaigns = await collect()
  const campaign = campaigns.find(({ name }) => name === positionals[0])
  if (campaign === undefined) {
    for (const { name, description } of campaigns) console.log(`${name.padEnd(16)} ${description}`)
    if (positionals.length > 0) throw new Error(`no campaign is called ${positionals[0]}`)
    return
  }
  const options = { minutes: positive(values.minutes), seed: positive(values.seed), log: console.log }
  const started = performance.now()
  const result = await campaign.run(options)
  const row = rowOf(campaign.name, result, performance.now() - started)
  console.log(row)
  if (values.record) appendFileSync(join(repoRoot, 'docs/campaigns.md'), `${row}\n`)
  if (!result.ok) process.exitCode = 1
}

async function collect(): Promise<Campaign[]> {
  const names = readdirSync(join(repoRoot, 'test/campaigns')).filter(
    name => name.endsWith('.ts') && name !== 'campaign.ts',
  )
  const found: Campaign[] = []
  for (const name of names) {
    const url = pathToFileURL(join(compiledRoot, 'test/campaigns', name.replace(/ts$/, 'js')))
    found.push(((await import(url.href)) as { campaign: Campaign }).campaign)
  }
  return found
}

function rowOf(name: string, { counts, seeds, ok }: CampaignResult, ms: number): string {
  const cells = [
    new Date().toISOString().slice(0, 10),
    name,
    commit(),
    seeds.join(' '),
    Object.entries(counts)
      .map(([what, count]) => `${count} ${what}`)
      .join(', '),
    `${(ms / 60_000).toFixed(1)} min`,
    `Node ${process.version}, ${process.platform} ${release()}, ${availableParallelism()} cores`,
    ok ? 'held' : 'FAILED',
  ]
  return `| ${cells.join(' | ')} |`
}

function commit(): string {
  const git = (...args: string[]) => execFileSync('git', ['-C', repoRoot, ...args], { encoding: 'utf8' }).trim()
  return `${git('rev-parse', '--short=12', 'HEAD')}${git('status', '--porcelain') === '' ? '' : ' + changes'}`
}

function positive(text: string): number {
  const number = Number(text)
  if (!(number >= 0)) throw new Error(`${text} is not a number from 0 up`)
  return number
}

await main()
