/** `npm run generate` prints the API here; clients generate their types from the file. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { printSchema } from 'graphql'
import { toSchema } from './index.ts'

writeFileSync(join(import.meta.dirname, '../../schema.graphql'), `${printSchema(toSchema())}\n`)
