/** A TypeScript project as a tree of files by path: sources, a package of its own workspace, packages and the compiler's own library. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getLibFiles } from '@ts-morph/common'
import { repoRoot } from './repo.js'
import type { Files } from './users.js'

const json = (value: unknown) => JSON.stringify(value, undefined, 2)

const sources: Files = {
  'package.json': json({ name: 'app', type: 'module' }),
  'tsconfig.json': json({
    compilerOptions: {
      target: 'es2015',
      module: 'nodenext',
      lib: ['es2015'],
      types: ['ambient'],
      strict: true,
      incremental: true,
      declaration: true,
      sourceMap: true,
      rootDir: 'src',
      outDir: 'out',
      tsBuildInfoFile: 'out/.tsbuildinfo',
    },
    files: ['src/index.ts'],
  }),
  'src/index.ts': `import { type Shape, square } from '@app/shapes'
import { uniformInt } from 'pure-rand/distribution/uniformInt'
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus'
import { area } from './area.js'

export const unit: number = area(square(1))
export const shape: Shape = square(uniformInt(xoroshiro128plus(1), 0, 9))
export const version: string = ambient.version
`,
  'src/area.ts': `import type { Shape } from '@app/shapes'

export function area({ width, height }: Shape): number {
  return width * height
}
`,
  'packages/shapes/package.json': json({ name: '@app/shapes', type: 'module', exports: { types: './index.d.ts' } }),
  'packages/shapes/index.d.ts': `export interface Shape {
  readonly width: number
  readonly height: number
}
export declare function square(side: number): Shape
`,
  'node_modules/@app/shapes': { link: '../../packages/shapes' },
  'node_modules/@types/ambient/index.d.ts': 'declare const ambient: { readonly version: string }\n',
  'node_modules/@types/ambient/package.json': json({ name: '@types/ambient', types: 'index.d.ts' }),
}

export function typescriptProject(): Files {
  const library = getLibFiles().filter(({ fileName }) => /^lib\.(?:es5|es2015|decorators)/.test(fileName))
  return {
    ...sources,
    ...typesOf('pure-rand'),
    ...Object.fromEntries(library.map(({ fileName, text }) => [`node_modules/typescript/lib/${fileName}`, text])),
  }
}

/** What the compiler looks at of a package that is installed here. */
function typesOf(name: string): Files {
  const folder = join(repoRoot, 'node_modules', name)
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const wanted = files.filter(file => /(?:\.d\.[cm]?ts|package\.json)$/.test(file))
  return Object.fromEntries(
    wanted.map(file => [`node_modules/${name}/${file}`, readFileSync(join(folder, file), 'utf8')]),
  )
}
