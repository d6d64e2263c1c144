import type { Mutant } from './mutant.js'

export const mutants: readonly Mutant[] = [
  {
    name: 'halves are rounded up, as JavaScript does',
    file: 'src/cli/format/go-number.ts',
    find: '(rest === half && !odd)',
    replace: '(rest === half && !odd && rest === kept)',
    test: 'test/cli/format/size.test.ts',
  },
  {
    name: 'hours are cut instead of rounded',
    file: 'src/cli/format/duration.ts',
    find: 'Math.trunc(span / 3600 + 0.5)',
    replace: 'Math.trunc(span / 3600)',
    test: 'test/cli/format/duration.test.ts',
  },
  {
    name: 'a column has one width from top to bottom',
    file: 'src/cli/format/table.ts',
    find: 'of runsOf(active))',
    replace: 'of active.length > 0 && runsOf(active) ? [active] : [])',
    test: 'test/cli/format/table.test.ts',
  },
  {
    name: 'index gives no value for a label that is not there',
    file: 'src/cli/format/template-functions.ts',
    find: `return values.every(entry => typeof entry === 'string') ? '' : undefined`,
    replace: 'return values.length < 0 ? "" : undefined',
    test: 'test/cli/format/template.test.ts',
  },
  {
    name: 'or evaluates what it does not need',
    file: 'src/cli/format/template.ts',
    find: `|| (name === 'or' && isTrue(value))`,
    replace: '',
    test: 'test/cli/format/template.test.ts',
  },
  {
    name: 'a header that does not fit is the end of the listing',
    file: 'src/cli/format/listing.ts',
    find: 'error instanceof TemplateError',
    replace: 'error instanceof TemplateError && error instanceof RangeError',
    test: 'test/cli/format/listing.test.ts',
  },
  {
    name: 'an argument of the wrong type is printed as if it were right',
    file: 'src/cli/format/go-printf.ts',
    find: "const text = verb.letter === 'v' ? plain(value, verb) : byType(value, verb)",
    replace: 'const text = byType(value, verb) ?? plain(value, verb)',
    test: 'test/cli/format/go-printf.test.ts',
  },
]
