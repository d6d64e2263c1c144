import { createRequire } from 'node:module'
import type { Command } from '../command.js'

export const command: Command = {
  usage: '',
  summary: 'Print the version of phyllo and of what it runs on',
  options: {},
  words: [0, 0],
  async run(context) {
    // The package by its own name: found whatever folder it was compiled into.
    const { version } = createRequire(import.meta.url)('phyllo/package.json') as { version: string }
    const facts = { phyllo: version, node: process.versions.node, platform: `${process.platform}/${process.arch}` }
    if (context.json) context.print(JSON.stringify(facts))
    else for (const [name, value] of Object.entries(facts)) context.print(`${name.padEnd(10)}${value}`)
  },
}
