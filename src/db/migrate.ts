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
  return withEngine(factory, async (engine) => {
    const { appliedMigrationNames } = await engine.applyMigrations({
      migrationsList: await readMigrations(provider),
      filters: NO_FILTER,
    })
    return appliedMigrationNames
  })
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
