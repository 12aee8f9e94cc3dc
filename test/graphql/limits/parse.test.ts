import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { GraphQLError, getIntrospectionQuery, parse, print, validate } from 'graphql'
import { describe, expect, test } from 'vitest'
import { overviewQuery } from '../../../src/demo/report.ts'
import { toSchema } from '../../../src/graphql/index.ts'
import { parseWithinLimits } from '../../../src/graphql/limits/parse.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** What parsing a document fails with. */
function refusalOf(text: string): GraphQLError {
  try {
    parseWithinLimits(text)
  } catch (error) {
    if (error instanceof GraphQLError) return error
    throw error
  }
  throw new Error('It was parsed.')
}

const levels = (count: number, tail = '') => `${'{ a '.repeat(count)}${tail}${'}'.repeat(count)}`
const many = (count: number, part: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => part(n)).join(' ')

describe('a document within the limits is parsed as by graphql itself:', () => {
  const files = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.graphql'))
      .map((name) => join(folder, name)),
  )

  test.each(files)('each operation of %s', (file) => {
    const { definitions } = parse(readFileSync(join(ROOT, file), 'utf8'))
    const fragments = definitions.filter(({ kind }) => kind === 'FragmentDefinition').map(print)

    for (const definition of definitions) {
      if (definition.kind !== 'OperationDefinition') continue
      expect(parseWithinLimits([print(definition), ...fragments].join('\n')).definitions).not.toHaveLength(0)
    }
  })

  test.each<[string, string]>([
    ['the query of the demo', overviewQuery('a project')],
    ['the introspection query', getIntrospectionQuery()],
    [
      'the introspection query with everything',
      getIntrospectionQuery({
        schemaDescription: true,
        directiveIsRepeatable: true,
        specifiedByUrl: true,
        inputValueDeprecation: true,
        oneOf: true,
      }),
    ],
    ['15 levels', levels(15)],
    ['50 aliases', `{ ${many(50, (n) => `a${n}: a`)} }`],
    ['a field 50 times', `{ ${'a '.repeat(50)} }`],
    ['10 mutations', `mutation { ${many(10, (n) => `a${n}`)} }`],
    ['values in values', `{ a(b: ${'['.repeat(50)}${']'.repeat(50)}) }`],
    ['a text with brackets in it', `{ a(b: "${'['.repeat(5000)}") }`],
  ])('%s', (_what, text) => {
    expect(parseWithinLimits(text)).toEqual(parse(text))
  })
})

describe('a document beyond a limit is refused, saying which:', () => {
  test.each<[string, string, string]>([
    ['characters', `{ a } #${'x'.repeat(1_000_000)}`, '1000007, at most 100000'],
    ['tokens', `{ ${'a '.repeat(20_000)} }`, 'at most 4000'],
    ['brackets within brackets', levels(5000), 'at most 60'],
    ['brackets within brackets', `{ a(b: ${'['.repeat(20_000)}`, 'at most 60'],
    ['brackets within brackets', `query ($a: ${'['.repeat(20_000)}`, 'at most 60'],
    ['brackets within brackets', '{ ... '.repeat(5000), 'at most 60'],
    ['levels of fields', levels(16), 'at most 15'],
    [
      'levels of fields',
      `{ ...A } fragment A on T ${levels(9, '...B')} fragment B on T ${levels(8)}`,
      'at most 15',
    ],
    ['aliases', `{ ${many(51, (n) => `a${n}: a`)} }`, '51, at most 50'],
    ['directives in one place', `{ a ${'@aa'.repeat(5)} }`, '5, at most 4'],
    ['directives in one place', `query ${'@aa'.repeat(5)} { a }`, '5, at most 4'],
    ['directives', `{ ${many(51, (n) => `a${n} @a`)} }`, '51, at most 50'],
    ['the same field or alias in one selection (a)', `{ ${'a '.repeat(51)} }`, '51, at most 50'],
    [
      'the same field or alias in one selection (b)',
      `{ x { ${'... { b } '.repeat(51)} } }`,
      '51, at most 50',
    ],
    [
      'the same field or alias in one selection (a)',
      `{ a a ${many(49, (n) => `...F${n}`)} } ${many(49, (n) => `fragment F${n} on T { a }`)}`,
      '51, at most 50',
    ],
    [
      'pairs of fields with the same name',
      `{ ${many(40, () => `a { ${many(30, (n) => `b${n}`)} }`)} }`,
      'at most 20000',
    ],
    [
      'fields',
      `{ ...F0 } ${many(10, (n) => `fragment F${n} on T { ${many(4, (m) => `a${m} { ...F${n + 1} }`)} }`)}`,
      'at most 50000',
    ],
    ['fields at the top of a mutation', `mutation { ${many(11, (n) => `a${n}: login`)} }`, '11, at most 10'],
    ['operations', many(51, (n) => `query Q${n} { a }`), '51, at most 50'],
    ['fragments', `{ a } ${many(51, (n) => `fragment F${n} on T { a }`)}`, '51, at most 50'],
    ['fragment spreads', `{ ${'...F '.repeat(101)} } fragment F on T { a }`, '101, at most 100'],
  ])('%s', (limit, text, numbers) => {
    const refusal = refusalOf(text)

    expect(refusal.message).toContain(`${limit}: `)
    expect(refusal.message).toContain(numbers)
    expect(refusal.extensions).toMatchObject({ code: 'DOCUMENT_TOO_COMPLEX', limit })
  })
})

test('fragments in a circle are left to validation', () => {
  const document = parseWithinLimits(
    '{ ...A } fragment A on Query { serverInfo { version } ...B } fragment B on Query { ...A ...B }',
  )

  expect(validate(toSchema(), document).map(({ message }) => message)).toContain(
    'Cannot spread fragment "A" within itself via "B".',
  )
})

test('a syntax error says where it is', () => {
  expect(refusalOf('{ a( }').message).toContain('Syntax Error')
  expect(refusalOf('{ a "').message).toContain('Syntax Error: Unterminated string')
})
