/** `npm run generate:schema` prints the API to schema.graphql; `-- --check` says whether the file is stale. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printSchema } from 'graphql'
import { toSchema } from './index.ts'

const path = join(import.meta.dirname, '../../schema.graphql')
const text = `${printSchema(toSchema())}\n`

if (!process.argv.includes('--check')) {
  writeFileSync(path, text)
} else if (readFileSync(path, 'utf8') !== text) {
  process.stderr.write('schema.graphql is stale: run npm run generate.\n')
  process.exit(1)
}
