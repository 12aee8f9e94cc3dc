import type { Database, Transaction } from '../../db/database.ts'
import { outageOf } from '../../outage.ts'
import type { PutOptions, Storage, StoredBlob } from '../../storage/storage.ts'

export type Blobs = ReturnType<typeof createBlobs>

/**
 * Keeps blobs and the rows that name them together, which no transaction spans. A key is noted before its
 * blob is stored, and the note goes in the transaction that makes the row; it is noted again in the
 * transaction that removes the row, and goes when the blob has gone. So whatever a server that died left
 * without a row is noted, and the next one removes it.
 */
export function createBlobs({ database, storage }: { database: Database; storage: Storage }) {
  /** Removes blobs that no row names. */
  async function discard(keys: string[]): Promise<void> {
    for (const key of keys) await storage.delete(key)
    try {
      await database.transaction((tx) => tx.unsettledBlob.deleteMany({ where: { key: { in: keys } } }))
    } catch (error) {
      // The next start tries again; what matters is done.
      if (!outageOf(error)) throw error
    }
  }

  return {
    discard,

    /**
     * Stores a blob, then runs `record` in a transaction to make its row. When either fails nothing is left.
     *
     * @throws what `Storage.put` and `record` throw
     */
    async store<T>(
      key: string,
      source: AsyncIterable<Uint8Array>,
      options: PutOptions,
      record: (tx: Transaction, stored: StoredBlob) => Promise<T>,
    ): Promise<T> {
      await database.transaction((tx) => tx.unsettledBlob.create({ data: { key } }))
      try {
        const stored = await storage.put(key, source, options)
        return await database.transaction(async (tx) => {
          await tx.unsettledBlob.delete({ where: { key } })
          return record(tx, stored)
        })
      } catch (error) {
        await discard([key])
        throw error
      }
    },

    /** To be called in the transaction that removes the rows; `discard` follows it. */
    async release(tx: Transaction, keys: string[]): Promise<void> {
      await tx.unsettledBlob.createMany({ data: keys.map((key) => ({ key })) })
    },

    /** Removes what a server that died left behind. To be called once at start, before the first `store`. */
    async sweep(): Promise<void> {
      const unsettled = await database.prisma.unsettledBlob.findMany()
      if (unsettled.length > 0) await discard(unsettled.map(({ key }) => key))
      await storage.sweepTemporary()
    },
  }
}
