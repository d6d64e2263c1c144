import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GoNil, structured } from '../../../src/cli/format/go-value.js'
import { parseTemplate } from '../../../src/cli/format/template.js'
import { TemplateError, UnsupportedTemplate } from '../../../src/cli/format/template-error.js'

const shape = {
  maps: ['Labels', 'ExposedPorts', 'Volumes', 'Data'],
  slices: ['Env', 'Cmd', 'Entrypoint', 'OnBuild', 'Layers', 'RepoTags'],
}

/** What `docker inspect` of 20.10.24 shows of the image that the outputs below were observed on. */
const document = {
  RepoTags: ['sz:999'],
  Config: {
    ExposedPorts: { '443/udp': {}, '80/tcp': {} },
    Env: ['A=b', 'C=d e'],
    Cmd: ['/bin/sh', '-c', 'x'],
    Image: '',
    Volumes: { '/data': {} },
    Entrypoint: null,
    Healthcheck: null,
    Labels: { b: 'two', a: '1' },
  },
  Author: '',
  Architecture: 'amd64',
  Os: 'linux',
  Size: 999,
  RootFS: { Type: 'layers', Layers: ['sha256:42'] },
}

const data = structured(document, shape)
const run = (template: string, value: unknown = data) => parseTemplate(template).execute(value)

/** All observed with `docker image inspect -f` of docker 20.10.24 (the diffId is cut here). */
const observed: readonly (readonly [template: string, output: string])[] = [
  ['{{.RepoTags}}', '[sz:999]'],
  ['{{.Config.Labels}}', 'map[a:1 b:two]'],
  ['{{json .Config.Labels}}', '{"a":"1","b":"two"}'],
  ['{{.Config.Env}}', '[A=b C=d e]'],
  ['{{json .Config.Env}}', '["A=b","C=d e"]'],
  ['{{.Config.Entrypoint}}', '[]'],
  ['{{json .Config.Entrypoint}}', 'null'],
  ['{{.Config.ExposedPorts}}', 'map[443/udp:{} 80/tcp:{}]'],
  ['{{.Config.Healthcheck}}', '<nil>'],
  ['{{index .Config.Labels "a"}}', '1'],
  ['[{{index .Config.Labels "nope"}}]', '[]'],
  ['{{.Config.Labels.a}}', '1'],
  ['{{.Config.Labels.nope}}', '<no value>'],
  ['{{len .Config.Env}}', '2'],
  ['{{range .Config.Env}}<{{.}}>{{end}}', '<A=b><C=d e>'],
  ['{{range $i, $e := .Config.Env}}{{$i}}={{$e}};{{end}}', '0=A=b;1=C=d e;'],
  ['{{range $i, $e := .Config.Env}}{{if $i}}, {{end}}{{$e}}{{end}}', 'A=b, C=d e'],
  ['{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=two;'],
  ['{{range $x := .Config.Labels}}{{$x}};{{end}}', '1;two;'],
  ['{{range .Config.Entrypoint}}x{{else}}none{{end}}', 'none'],
  ['{{range $e := .Config.Env}}{{$e}}{{break}}{{end}}', 'A=b'],
  ['{{if .Config.Entrypoint}}yes{{else}}no{{end}}', 'no'],
  ['{{if eq .Os "x"}}1{{else if eq .Os "linux"}}2{{else}}3{{end}}', '2'],
  ['{{join .Config.Env ","}}', 'A=b,C=d e'],
  ['{{upper .Os}} {{title .Os}} {{lower "ABC"}}', 'LINUX Linux abc'],
  [`{{title "hello wORLD-foo bar_baz it's"}}`, "Hello WORLD-Foo Bar_baz It'S"],
  ['{{split .Os "n"}}', '[li ux]'],
  ['{{truncate .Os 3}} {{truncate .Os 30}}', 'lin linux'],
  ['{{pad .Os 1 2}}|', ' linux  |'],
  ['{{println .Os .Architecture}}x', 'linux amd64\nx'],
  ['{{print 1 2 "a" "b" 3 4}}', '1 2ab3 4'],
  ['{{.Size}}', '999'],
  [
    '{{eq .Os "linux"}} {{ne .Os "linux"}} {{lt 1 2}} {{ge 2 2}} {{and 1 0}} {{or "" "x"}} {{not true}}',
    'true false true true 0 x false',
  ],
  ['{{eq .Os "a" "linux"}}', 'true'],
  ['{{.RootFS.Type}} {{index .RootFS.Layers 0}}', 'layers sha256:42'],
  ['{{index .Config.Env 0}}', 'A=b'],
  ['a {{- " b " -}} c', 'a b c'],
  ['{{/* c */}}x{{- /* d */ -}} y', 'xy'],
  ['{{with .Config.Labels}}{{.a}}{{end}}', '1'],
  ['{{with $x := .Os}}{{$x}}{{$.Architecture}}{{end}}', 'linuxamd64'],
  ['{{$x := 3}}{{$x}}{{$x = 4}}{{$x}}', '34'],
  ['{{json .Config.Volumes}} {{json "<a&b>"}} {{json 1.5}}', '{"/data":{}} "<a&b>" 1.5'],
  ['{{json .RootFS}}', '{"Type":"layers","Layers":["sha256:42"]}'],
  ['{{"a" | printf "%s-%s" "b"}}', 'b-a'],
  ['{{(index .Config.Env 0) | upper}}', 'A=B'],
  ['{{(.Config).Image}}|', '|'],
  ['{{slice .Os 1 3}}', 'in'],
  [
    "{{true}} {{1.5}} {{1e3}} {{0x10}} {{'a'}} {{`raw\\n`}} {{1_000}} {{-5}} {{+5}}",
    'true 1.5 1000 16 97 raw\\n 1000 -5 5',
  ],
  ['{{.Os | upper | lower | title}}', 'Linux'],
  ['{{ .Os }}{{"}}"}}', 'linux}}'],
  ['{{len "é"}}', '2'],
]

test('what docker inspect -f prints', () => {
  for (const [template, output] of observed) assert.equal(run(template), output, template)
})

/** All refused there, too. The reasons are worded as Go's, except where its own speaks of its insides. */
const refused: readonly (readonly [template: string, message: RegExp])[] = [
  ['{{.Nope}}', /Nope/],
  ['{{.Config.Nope}}', /Nope/],
  ['{{.Os.Nope}}', /can't evaluate field Nope in type/],
  ['{{.Config.Healthcheck.Test}}', /nil pointer evaluating/],
  ['{{eq 1 "a"}}', /error calling eq: incompatible types for comparison/],
  ['{{lt "a" 1}}', /error calling lt: incompatible types for comparison/],
  ['{{eq .Config.Env .Config.Env}}', /error calling eq: non-comparable type/],
  ['{{index .RootFS.Layers 5}}', /error calling index: index out of range: 5/],
  ['{{.Config.Env | join ","}}', /join|type/],
  ['{{foo .Os}}', /function "foo" not defined/],
  ['{{. Os}}', /function "Os" not defined/],
  ['{{.Os', /unclosed action/],
  ['{{if .Os}}x', /unexpected EOF/],
  ['{{end}}', /unexpected {{end}}/],
  ['{{else}}', /unexpected {{else}}/],
  ['{{range .Os}}x{{end}}', /range can't iterate over linux/],
  ['{{nil}}', /nil is not a command/],
  ['{{lower .Size}}', /expected string/],
  ['{{upper 1}}', /expected string/],
  ['{{join .Os ","}}', /wrong type for value; expected \[\]string; got string/],
  ['{{json}}', /wrong number of args for json: want 1 got 0/],
  ['{{and}}', /wrong number of args for and: want at least 1 got 0/],
  ['{{.Os.}}', /unexpected <\.> in operand/],
  ['{{$y}}', /undefined variable "\$y"/],
  ['{{with $y := 1}}{{end}}{{$y}}', /undefined variable/],
  ['{{if $y := 1}}{{else}}{{$y}}{{end}}{{$y = 2}}', /undefined variable/],
  ['{{.Os 1}}', /can't give argument to non-function \.Os/],
  ['{{1 | .Os}}', /non executable command|can't give argument/],
  ['{{break}}', /{{break}} outside {{range}}/],
  ['{{}}', /missing value for command/],
  ['{{if}}x{{end}}', /missing value for if/],
  ['{{(.Os}}', /unclosed left paren/],
  ['{{.Os)}}', /unexpected <\)>/],
  ['{{"a}}', /unterminated quoted string/],
  ['{{/* a }}', /unclosed comment/],
  ['{{if 1}}{{else}}{{else}}{{end}}', /expected end; found {{else}}/],
  ['{{range $a, $b, $c := .Config.Env}}{{end}}', /too many declarations/],
  ['{{"\\q"}}', /bad escape/],
]

test('what docker inspect -f refuses is a TemplateError, which is a TypeError', () => {
  for (const [template, message] of refused) {
    assert.throws(
      () => run(template),
      (error: Error) => error instanceof TemplateError && error instanceof TypeError && message.test(error.message),
      template,
    )
  }
})

test('what only Go has is named, with the code of what is not there yet', () => {
  const constructs: readonly (readonly [string, string])[] = [
    ['{{define "x"}}{{end}}', '{{define}}'],
    ['{{template "x"}}', '{{template}}'],
    ['{{block "x" .}}{{end}}', '{{block}}'],
    ['{{html .Os}}', 'function "html"'],
    ['{{call .Os}}', 'function "call"'],
  ]
  for (const [template, construct] of constructs) {
    assert.throws(() => parseTemplate(template), { code: 'COMMAND_UNSUPPORTED', construct }, template)
    assert.throws(() => parseTemplate(template), UnsupportedTemplate)
  }
})

test('plain objects are maps: sorted, printed with <no value> for what they lack, or refused', () => {
  const value = { b: [1, 'x', null, 2.5], a: null, 10: true, 9: { z: 1, y: 'q' } }
  assert.equal(run('{{.}}', value), 'map[10:true 9:map[y:q z:1] a:<nil> b:[1 x <nil> 2.5]]')
  assert.equal(run('{{.a}} {{.nope}} {{.nope.deeper}}', value), '<no value> <no value> <no value>')
  assert.equal(run('{{json .}}', value), '{"10":true,"9":{"y":"q","z":1},"a":null,"b":[1,"x",null,2.5]}')
  assert.equal(run('{{.toString}} {{index . "constructor"}}', {}), '<no value> ')
  const strict = parseTemplate('{{.nope}}', { missingKey: 'error' })
  assert.throws(() => strict.execute(value), /map has no entry for key "nope"/)
})

test('JSON is Go’s: U+2028 escaped, <>& not, typed nils null', () => {
  assert.equal(run('{{json .}}', '\u2028<&>"\ud800'), '"\\u2028<&>\\"\ufffd"')
  assert.equal(run('{{json .}}', [new GoNil('map'), undefined, 12n]), '[null,null,12]')
})

test('continue, nested ranges, scopes and the dollar', () => {
  assert.equal(run('{{range .}}{{if eq . 2}}{{continue}}{{end}}{{.}}{{end}}', [1, 2, 3]), '13')
  assert.equal(run('{{range $i, $r := .}}{{range $r}}{{$i}}{{.}} {{end}}{{end}}', [[1, 2], [3]]), '01 02 13 ')
  assert.equal(run('{{$n := 0}}{{range .}}{{$n = .}}{{end}}{{$n}}', [1, 2, 3]), '3')
  assert.equal(run('{{$n := 0}}{{range .}}{{$n := .}}{{end}}{{$n}}', [1, 2, 3]), '0')
  assert.equal(run('{{range .}}{{len $}}{{end}}', [1, 2]), '22')
  assert.equal(run('{{range $k, $v := .}}{{$k}}{{$v}}{{else}}-{{end}}', {}), '-')
})

test('and and or stop at the first value that decides', () => {
  assert.equal(run('{{and false (index . 5)}} {{or 1 (index . 5)}} {{and 1 2}} {{or 0 ""}}', []), 'false 1 2 ')
  assert.equal(run('{{and 1 nil}} {{or nil false}}', []), '<no value> false')
})

test('text without actions, trim markers at the edges and unicode names', () => {
  assert.equal(run('plain } { text', 1), 'plain } { text')
  assert.equal(run(' \n {{- . -}} \n ', 1), '1')
  assert.equal(run('{{-3}} {{- 3}}', 0), '-33')
  assert.equal(run('{{.Größe}}', { Größe: 1 }), '1')
  assert.equal(run('{{"\\u00e9\\x41\\101\\t"}}', 0), 'éAA\t')
})

test('H7: long hostile templates are read in linear time', () => {
  const long = 200_000
  for (const template of [
    '{{'.repeat(long),
    '{{"'.repeat(long),
    ' '.repeat(long * 5),
    `{{${' '.repeat(long)}`,
    `{{.${'a'.repeat(long)}!`,
  ]) {
    try {
      parseTemplate(template)
    } catch (error) {
      assert.ok(error instanceof TemplateError)
    }
  }
  assert.equal(run(`${' '.repeat(long)}{{- 1 -}}${' '.repeat(long)}`).length, 1)
})
