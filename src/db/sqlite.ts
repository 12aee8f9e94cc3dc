import type { Client, Config, Transaction } from '@libsql/client'
import { PrismaLibSql } from '@prisma/adapter-libsql'

/**
 * The embedded database: one connection for the life of the process.
 *
 * libsql's client leaves its connection to every transaction it opens and makes a new one, which would
 * lose the PRAGMAs and leak file handles until garbage collection. Prisma's adapter already lets nothing
 * else run while a transaction is open, so the transaction can use the connection that is there.
 */
export class EmbeddedSqlite extends PrismaLibSql {
  constructor(path: string) {
    super({ url: `file:${path}` })
  }

  override createClient(config: Config): Client {
    const client = super.createClient(config)
    return new Proxy(client, {
      get: (target, property) => {
        if (property === 'transaction') return () => beginOn(target)
        const value: unknown = Reflect.get(target, property, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
  }
}

/**
 * What every connection needs. WAL lets readers read while a writer writes; FULL makes a commit survive
 * a power cut; the cache is 64 MiB; the log is cut back to 64 MiB after a checkpoint.
 */
export const CONNECTION_PRAGMAS = [
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA busy_timeout = 5000',
  'PRAGMA cache_size = -65536',
  'PRAGMA journal_size_limit = 67108864',
  'PRAGMA temp_store = MEMORY',
]

async function beginOn(client: Client): Promise<Transaction> {
  await client.execute('BEGIN IMMEDIATE')
  let closed = false
  const end = async (statement: 'COMMIT' | 'ROLLBACK') => {
    if (closed) return
    try {
      await client.execute(statement)
      closed = true
    } catch (error) {
      // A COMMIT that failed (a full disk, say) leaves the transaction open; it must not hold the connection.
      if (statement === 'COMMIT') await client.execute('ROLLBACK').catch(() => undefined)
      closed = true
      throw error
    }
  }
  return {
    execute: (statement: Parameters<Client['execute']>[0]) => client.execute(statement),
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
