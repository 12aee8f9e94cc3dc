import type { Database, Transaction } from '../../db/database.ts'
import { outageOf } from '../../outage.ts'

/** Writes down what is good to know but not worth keeping anybody out when the disk is full. */
export async function writeIfThereIsRoom(
  database: Database,
  write: (tx: Transaction) => Promise<unknown>,
): Promise<void> {
  try {
    await database.transaction(write)
  } catch (error) {
    if (!outageOf(error)) throw error
  }
}
