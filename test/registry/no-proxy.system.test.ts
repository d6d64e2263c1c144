/** NO_PROXY as a program in Go reads it: skopeo's requests, against the same cases as ours. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { noProxyCases } from '../build/no-proxy-cases.js'
import { TestProxy } from '../build/proxy.js'

// Its references know no IPv6.
for (const [noProxy, host, proxied] of noProxyCases.filter(([, host]) => !host.startsWith('[')))
  test(`skopeo: NO_PROXY=${noProxy}: ${host} ${proxied ? 'through the proxy' : 'without'}`, async t => {
    const proxy = await TestProxy.start(t, { refuses: 403 })
    const env = { PATH: process.env.PATH, HOME: '/nonexistent', HTTPS_PROXY: proxy.origin, NO_PROXY: noProxy }
    const child = execFile('skopeo', ['inspect', '--raw', `docker://${host}/a:v`], { env, timeout: 3000 })
    // It has failed; what counts is where it has asked.
    await new Promise(resolve => child.on('close', resolve))
    assert.equal(proxy.asked.length > 0, proxied, String(proxy.asked))
  })
