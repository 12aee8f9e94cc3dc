import { type Prisma, PrismaClient } from '../generated/prisma/client.ts'
import { migrate } from './migrate.ts'
import { CONNECTION_PRAGMAS, EmbeddedSqlite } from './sqlite.ts'
import { sqliteStatements } from './sqlite-statements.ts'
import type { Statements } from './statements.ts'

/** A Prisma client inside a transaction. */
export type Transaction = Prisma.TransactionClient

/** The database as the rest of the code sees it. */
export interface Database {
  /** For reading, and for a single write. */
  readonly prisma: PrismaClient
  /** The hand-written statements of this database. */
  readonly sql: Statements
  /**
   * Runs `work` in one transaction, after every transaction asked for earlier: SQLite has one writer, and
   * waiting here beats waiting for its lock. No I/O but the database's inside.
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Calls back with every statement's SQL from now on; for tests that count them. */
  onStatement(listener: (sql: string) => void): () => void
  close(): Promise<void>
}

/** How long a transaction may take or wait before it is given up, in ms; far above what any of ours needs. */
const TRANSACTION_LIMIT_MS = 60_000

/** Opens the embedded database at `path`, brings it to the newest schema and readies its connection. */
export async function openDatabase(path: string): Promise<Database> {
  const adapter = new EmbeddedSqlite(path)
  await migrate(adapter, 'sqlite')
  const prisma = new PrismaClient({ adapter, log: [{ emit: 'event', level: 'query' }] })
  for (const pragma of CONNECTION_PRAGMAS) await prisma.$queryRawUnsafe(pragma)

  const listeners = new Set<(sql: string) => void>()
  prisma.$on('query', (event) => {
    for (const listener of listeners) listener(event.query)
  })

  let last: Promise<unknown> = Promise.resolve()
  return {
    prisma,
    sql: sqliteStatements,
    transaction(work) {
      const run = () =>
        prisma.$transaction(work, { maxWait: TRANSACTION_LIMIT_MS, timeout: TRANSACTION_LIMIT_MS })
      const result = last.then(run, run)
      last = result.catch(() => undefined)
      return result
    },
    onStatement(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    async close() {
      await last
      await prisma.$disconnect()
    },
  }
}

/** Whether an error says that a row with the same unique values is there already. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'P2002'
}

/** What `load` finds; null when it fails because the row is not there. */
export async function nullIfMissing<T>(load: T | PromiseLike<T>): Promise<T | null> {
  try {
    return await load
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'P2025') return null
    throw error
  }
}
