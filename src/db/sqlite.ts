import { type Client, type Config, LibsqlError, type Transaction } from '@libsql/client'
import { PrismaLibSql } from '@prisma/adapter-libsql'

/**
 * The embedded database: one connection for the life of the process.
 *
 * libsql's client leaves its connection to every transaction it opens and makes a new one, which would
 * lose the PRAGMAs and leak file handles until garbage collection. Prisma's adapter already lets nothing
 * else run while a transaction is open, so the transaction can use the connection that is there.
 */
export class EmbeddedSqlite extends PrismaLibSql {
  #transaction: Transaction | null = null

  constructor(path: string) {
    super({ url: `file:${path}` })
  }

  /**
   * Scripts are migrations. Each is one transaction, which also marks it as finished: whatever ends the server
   * in between, a migration that is not marked has left nothing behind. Foreign keys cannot be switched
   * off inside a transaction, and a table that is rebuilt would take along what refers to it.
   */
  override async connect() {
    const adapter = await super.connect()
    const executeScript = adapter.executeScript.bind(adapter)
    adapter.executeScript = (script) =>
      executeScript(`PRAGMA foreign_keys = OFF;\nBEGIN IMMEDIATE;\n${script};\n${MARK_FINISHED};\nCOMMIT`)
    return adapter
  }

  override createClient(config: Config): Client {
    const client = super.createClient(config)
    return new Proxy(client, {
      get: (target, property) => {
        if (property === 'transaction') return () => this.#begin(target)
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }

  /**
   * Runs a statement in the transaction that is open. For large values: Prisma copies each several times, and
   * keeps those of the last hundred statements.
   *
   * @throws when none is open, and what the driver throws
   */
  async executeInTransaction(sql: string, values: (string | number)[]): Promise<void> {
    if (this.#transaction === null || this.#transaction.closed) throw new Error('No transaction is open.')
    await this.#transaction.execute({ sql, args: values })
  }

  async #begin(client: Client): Promise<Transaction> {
    this.#transaction = await beginOn(client)
    return this.#transaction
  }
}

/**
 * What every connection needs. WAL lets readers read while a writer writes; FULL makes a commit survive
 * a power cut; the cache is 64 MiB; the log is cut back to 64 MiB after a checkpoint. Waiting for another
 * program's lock stops this whole process, so it is for moments only; `Database.transaction` waits longer.
 */
export const CONNECTION_PRAGMAS = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA busy_timeout = 20',
  'PRAGMA cache_size = -65536',
  'PRAGMA journal_size_limit = 67108864',
  'PRAGMA temp_store = MEMORY',
]

const MARK_FINISHED =
  'UPDATE "_prisma_migrations" SET "finished_at" = "started_at" WHERE "finished_at" IS NULL'

/** Results upon which SQLite may end a transaction by itself: BUSY, NOMEM, INTERRUPT, IOERR and FULL. */
const MAY_ROLL_BACK = [5, 7, 9, 10, 13]

/**
 * Begins, unless another program has the lock. libSQL leaves a BEGIN that finds it taken unfinished, until it
 * is collected, and no COMMIT of the connection succeeds meanwhile; a script it always finishes. So a script
 * looks first, and should the lock be taken right after that, the connection is replaced.
 */
async function begin(client: Client): Promise<void> {
  await client.executeMultiple('BEGIN IMMEDIATE; ROLLBACK')
  try {
    await client.execute('BEGIN IMMEDIATE')
  } catch (error) {
    await client.reconnect()
    await client.executeMultiple(CONNECTION_PRAGMAS.join('; '))
    throw error
  }
}

async function beginOn(client: Client): Promise<Transaction> {
  await begin(client)
  let closed = false
  let failure: unknown = null
  const end = async (statement: 'COMMIT' | 'ROLLBACK') => {
    if (closed) return
    closed = true
    // A COMMIT that fails (a full disk, say) may leave the transaction open; it must not hold the connection.
    const rollBack = () => client.execute('ROLLBACK').catch(() => undefined)
    if (statement === 'ROLLBACK' || failure) {
      await rollBack()
      if (statement === 'COMMIT') throw failure
      return
    }
    try {
      await client.execute('COMMIT')
    } catch (error) {
      await rollBack()
      throw error
    }
  }
  return {
    async execute(statement: Parameters<Client['execute']>[0]) {
      // Without its transaction, a statement would be committed on its own.
      if (failure) throw failure
      try {
        return await client.execute(statement)
      } catch (error) {
        if (error instanceof LibsqlError && MAY_ROLL_BACK.includes((error.rawCode ?? 0) & 0xff))
          failure = error
        throw error
      }
    },
    batch: (statements: Parameters<Client['batch']>[0]) => client.batch(statements),
    executeMultiple: (sql: string) => client.executeMultiple(sql),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    close: () => void end('ROLLBACK'),
    get closed() {
      return closed
    },
  }
}
