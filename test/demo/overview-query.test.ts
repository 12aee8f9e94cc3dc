import { readFileSync } from 'node:fs'
import { buildSchema, parse, validate } from 'graphql'
import { expect, test } from 'vitest'
import { overviewQuery } from '../../src/demo/report.ts'

test('the query to paste into GraphiQL is valid', () => {
  const schema = buildSchema(readFileSync('schema.graphql', 'utf8'))

  expect(validate(schema, parse(overviewQuery('a "quoted" name')))).toEqual([])
})
