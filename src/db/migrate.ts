import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  bindMigrationAwareSqlAdapterFactory,
  type SqlMigrationAwareDriverAdapterFactory,
} from '@prisma/driver-adapter-utils'
import { type MigrationList, SchemaEngine } from '@prisma/schema-engine-wasm'

const PRISMA_DIR = join(import.meta.dirname, '../../prisma')
const NO_FILTER = { externalTables: [], externalEnums: [] }

/** The databases that have a folder of migrations. */
export type Provider = 'sqlite'

/**
 * Brings the database to the newest schema, in this process and without Prisma's engine binary, and
 * records what was applied in Prisma's own `_prisma_migrations` table.
 *
 * @returns the names of the migrations that were applied now.
 */
export async function migrate(
  factory: SqlMigrationAwareDriverAdapterFactory,
  provider: Provider,
): Promise<string[]> {
  await forgetUnfinished(factory)
  return withEngine(factory, async (engine) => {
    try {
      const { appliedMigrationNames } = await engine.applyMigrations({
        migrationsList: await readMigrations(provider),
        filters: NO_FILTER,
      })
      return appliedMigrationNames
    } catch (error) {
      // Of an error of the database the engine passes on no more than its words.
      const full = error instanceof Error && error.message.includes('SQLITE_FULL')
      throw full ? Object.assign(error, { rawCode: SQLITE_FULL }) : error
    }
  })
}

const SQLITE_FULL = 13
const UNFINISHED = 'FROM "_prisma_migrations" WHERE "finished_at" IS NULL'

/**
 * Forgets migrations that were begun by a server that died, or ran out of disk: nothing of them was applied,
 * but the engine would refuse to go on until a person has looked.
 */
async function forgetUnfinished(factory: SqlMigrationAwareDriverAdapterFactory): Promise<void> {
  const adapter = await factory.connect()
  const isTrue = async (sql: string) => {
    const { rows } = await adapter.queryRaw({ sql, args: [], argTypes: [] })
    return rows.length > 0
  }
  try {
    const isFirstStart = !(await isTrue(`SELECT 1 FROM sqlite_master WHERE name = '_prisma_migrations'`))
    // Looked at first, because looking needs no lock and no room on the disk.
    if (isFirstStart || !(await isTrue(`SELECT 1 ${UNFINISHED}`))) return
    await adapter.executeRaw({ sql: `DELETE ${UNFINISHED}`, args: [], argTypes: [] })
  } finally {
    await adapter.dispose()
  }
}

/**
 * The SQL that leads from the database, which must have every migration, to prisma/schema.prisma;
 * null when there is nothing to do.
 */
export async function diffSchema(factory: SqlMigrationAwareDriverAdapterFactory): Promise<string | null> {
  return withEngine(factory, async (engine, schema) => {
    const { exitCode, stdout } = await engine.diff({
      from: { tag: 'schemaDatasource', files: [schema], configDir: PRISMA_DIR },
      to: { tag: 'schemaDatamodel', files: [schema] },
      script: true,
      exitCode: true,
      filters: NO_FILTER,
    })
    return exitCode === 2 ? stdout : null
  })
}

/** Where the migrations of a database are kept. */
export function migrationsDirectory(provider: Provider): string {
  return join(PRISMA_DIR, 'migrations', provider)
}

interface SchemaFile {
  path: string
  content: string
}

async function withEngine<T>(
  factory: SqlMigrationAwareDriverAdapterFactory,
  use: (engine: SchemaEngine, schema: SchemaFile) => Promise<T>,
): Promise<T> {
  const path = join(PRISMA_DIR, 'schema.prisma')
  const schema = { path, content: await readFile(path, 'utf8') }
  const engine = await SchemaEngine.new(
    { datamodels: [[schema.path, schema.content]] },
    () => undefined,
    bindMigrationAwareSqlAdapterFactory(factory),
  )
  try {
    return await use(engine, schema)
  } finally {
    engine.free()
  }
}

async function readMigrations(provider: Provider): Promise<MigrationList> {
  const baseDir = migrationsDirectory(provider)
  const entries = await readdir(baseDir, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  return {
    baseDir,
    lockfile: { path: 'migration_lock.toml', content: `provider = "${provider}"\n` },
    shadowDbInitScript: '',
    migrationDirectories: await Promise.all(
      names.sort().map(async (name) => ({
        path: name,
        migrationFile: {
          path: 'migration.sql',
          content: {
            tag: 'ok' as const,
            value: await readFile(join(baseDir, name, 'migration.sql'), 'utf8'),
          },
        },
      })),
    ),
  }
}
