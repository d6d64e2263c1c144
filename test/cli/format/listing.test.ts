import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatListing } from '../../../src/cli/format/listing.js'
import { TemplateError } from '../../../src/cli/format/template-error.js'

const headers = { ID: 'IMAGE ID', Repository: 'REPOSITORY', Tag: 'TAG', Size: 'SIZE', Digest: 'DIGEST' }
const rows = [
  { ID: 'b2d009d3589c', Repository: 'sz', Tag: '12345678', Size: '12.3MB', Digest: '<none>' },
  { ID: '67885b5d82c5', Repository: 'sz', Tag: '1', Size: '1B', Digest: '<none>' },
]
const list = (format: string, given: typeof rows = rows) => formatListing({ format, headers, rows: given })

/** All observed with `docker images --format` of docker 20.10.24, cut to two of its rows (widths are those of the two). */
test('listings, as docker images --format prints them', () => {
  const observed: readonly (readonly [format: string, output: string])[] = [
    [
      'table {{.Repository}}\t{{.ID}}\t{{.Size}}',
      'REPOSITORY   IMAGE ID       SIZE\nsz           b2d009d3589c   12.3MB\nsz           67885b5d82c5   1B\n',
    ],
    ['table {{.ID}}\\t{{.Tag}}', 'IMAGE ID       TAG\nb2d009d3589c   12345678\n67885b5d82c5   1\n'],
    [
      'table {{json .Tag}}x{{title .Repository}}\t{{truncate .ID 4}}{{if eq .Tag "1"}}\tyes{{end}}',
      'TAGxREPOSITORY   IMAGE ID\n"12345678"xSz    b2d0\n"1"xSz           6788      yes\n',
    ],
    [
      'table {{pad .ID 2 3}}\t{{upper .Tag}}|{{lower "AB"}}',
      '  IMAGE ID          TAG|AB\n  b2d009d3589c      12345678|ab\n  67885b5d82c5      1|ab\n',
    ],
    ['table {{.ID}}\\n{{.Tag}}', 'IMAGE ID\nTAG\nb2d009d3589c\n12345678\n67885b5d82c5\n1\n'],
    ['table {{.Size}}\t\t{{.Tag}}', 'SIZE                TAG\n12.3MB              12345678\n1B                  1\n'],
    ['table {{range split .Repository ""}}{{.}}\t{{end}}x', '\ns         z         x\ns         z         x\n'],
    ['{{.ID}}\\t{{.Tag}}', 'b2d009d3589c\t12345678\n67885b5d82c5\t1\n'],
    ['  {{.ID}} ', 'b2d009d3589c\n67885b5d82c5\n'],
    ['tablex {{.ID}}', 'x IMAGE ID\nx b2d009d3589c\nx 67885b5d82c5\n'],
    ['{{json .Digest}}', '"<none>"\n"<none>"\n'],
  ]
  for (const [format, output] of observed) assert.equal(list(format), output, format)
})

test('a whole row as JSON has sorted keys and escapes <>: observed on docker 20.10.24', () => {
  const line = '{"Digest":"\\u003cnone\\u003e","ID":"67885b5d82c5","Repository":"sz","Size":"1B","Tag":"1"}\n'
  assert.equal(list('{{json .}}', rows.slice(1)), line)
  assert.equal(list('json', rows.slice(1)), line)
})

test('no rows: the header stays, and a bad placeholder shows with the first row alone', () => {
  assert.equal(list('table {{.ID}}\t{{.Tag}}', []), 'IMAGE ID   TAG\n')
  assert.equal(list('{{.ID}}', []), '')
  assert.throws(() => list('{{.Nope}}'), TemplateError)
  assert.throws(() => list('table {{.ID', []), TemplateError)
})
