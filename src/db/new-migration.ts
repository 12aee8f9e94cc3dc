/** `npm run migrate:new -- NAME` writes the migration that prisma/schema.prisma asks for; `-- --check` says whether one is missing. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { diffSchema, migrate, migrationsDirectory } from './migrate.ts'
import { EmbeddedSqlite } from './sqlite.ts'

const name = process.argv[2]
if (!name || !/^(--check|[a-z0-9_]+)$/.test(name)) {
  process.stderr.write('Say what the migration does, in lower case: npm run migrate:new -- add_labels\n')
  process.exit(1)
}

const scratch = await mkdtemp(join(tmpdir(), 'trainyard-migration-'))
const database = new EmbeddedSqlite(join(scratch, 'empty.db'))
await migrate(database, 'sqlite')
const sql = await diffSchema(database)
await rm(scratch, { recursive: true })

if (sql === null) {
  process.stdout.write('The migrations lead to prisma/schema.prisma.\n')
} else if (name === '--check') {
  process.stderr.write('The migrations do not lead to prisma/schema.prisma: run npm run migrate:new.\n')
  process.exit(1)
} else {
  const stamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14)
  const directory = join(migrationsDirectory('sqlite'), `${stamp}_${name}`)
  await mkdir(directory, { recursive: true })
  await writeFile(join(directory, 'migration.sql'), sql)
  process.stdout.write(`Wrote ${join(directory, 'migration.sql')}\n`)
}
