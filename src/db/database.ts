import { setTimeout as sleep } from 'node:timers/promises'
import { type Prisma, PrismaClient } from '../generated/prisma/client.ts'
import { outageOf } from '../outage.ts'
import { migrate } from './migrate.ts'
import { CONNECTION_PRAGMAS, EmbeddedSqlite } from './sqlite.ts'
import { createSqliteStatements } from './sqlite-statements.ts'
import type { Statements } from './statements.ts'

/** A Prisma client inside a transaction. */
export type Transaction = Prisma.TransactionClient

/** The database as the rest of the code sees it. */
export interface Database {
  /** For reading. */
  readonly prisma: PrismaClient
  /** The hand-written statements of this database. */
  readonly sql: Statements
  /**
   * Runs `work` in one transaction, after every transaction asked for earlier: SQLite has one writer, and
   * waiting here beats waiting for its lock. No I/O but the database's inside. Whatever is written, a single
   * row too, is written in one of these: they wait for another program's lock while everybody reads.
   *
   * @throws the outage (see outage.ts) when the disk is full, or the lock is not to be had for 5 s
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /**
   * A transaction that leaves nothing of what it overwrites in the database's files, where it would otherwise stay
   * until the space is needed. Copies the whole log of writes into the database, so it is for rare events.
   */
  overwrite<T>(work: (tx: Transaction) => Promise<T>): Promise<T>
  /** Calls back with every statement's SQL from now on; for tests that count them. */
  onStatement(listener: (sql: string) => void): () => void
  close(): Promise<void>
}

/** How long a transaction may take or wait before it is given up, in ms; far above what any of ours needs. */
const LIMITS = { maxWait: 60_000, timeout: 60_000 }
/** How long a transaction waits for a lock that another program has on the database, in ms. */
const LOCK_PATIENCE_MS = 5000
/** How often it tries again meanwhile, in ms. */
const LOCK_RETRY_MS = 50

/** Opens the embedded database at `path`, brings it to the newest schema and readies its connection. */
export async function openDatabase(path: string): Promise<Database> {
  const adapter = new EmbeddedSqlite(path)
  await migrate(adapter, 'sqlite')
  const prisma = new PrismaClient({ adapter, log: [{ emit: 'event', level: 'query' }] })
  for (const pragma of CONNECTION_PRAGMAS) await prisma.$queryRawUnsafe(pragma)

  const listeners = new Set<(sql: string) => void>()
  const tell = (sql: string) => {
    for (const listener of listeners) listener(sql)
  }
  prisma.$on('query', (event) => tell(event.query))
  const sql = createSqliteStatements(async (statement, values) => {
    tell(statement)
    await adapter.executeInTransaction(statement, values)
  })

  let last: Promise<unknown> = Promise.resolve()
  function transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const deadline = performance.now() + LOCK_PATIENCE_MS
    const result = last.then(() => unlocked(deadline, () => prisma.$transaction(work, LIMITS)))
    last = result.catch(() => undefined)
    return result
  }

  return {
    prisma,
    sql,
    transaction,
    async overwrite(work) {
      await prisma.$queryRawUnsafe('PRAGMA secure_delete = ON')
      try {
        const result = await transaction(work)
        await prisma.$queryRawUnsafe('PRAGMA wal_checkpoint(TRUNCATE)')
        return result
      } finally {
        await prisma.$queryRawUnsafe('PRAGMA secure_delete = OFF')
      }
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

/** Tries again as long as another program has the lock; nothing was done then. @throws what it fails with at last */
async function unlocked<T>(deadline: number, attempt: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (outageOf(error) !== 'database-locked' || performance.now() > deadline) throw error
      await sleep(LOCK_RETRY_MS)
    }
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
