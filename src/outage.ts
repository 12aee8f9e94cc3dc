import { UnavailableError } from './errors.ts'

/** What keeps the server from writing for a while, and ends without anything being done in it. */
export type Outage = 'disk-full' | 'database-locked'

const MESSAGES: Record<Outage, string> = {
  'disk-full': 'The disk of the server is full: free some space, then try again.',
  'database-locked':
    'Another program, perhaps a backup, holds the lock of the database: try again when it is done.',
}

/** Errno codes of a disk, or of a user's share of it, that is full. */
const FULL_CODES = ['ENOSPC', 'EDQUOT']
/**
 * SQLite's results for the same: SQLITE_FULL; SQLITE_IOERR_WRITE, which a full share gives; and
 * SQLITE_IOERR_SHMSIZE, when the index of its log cannot grow.
 */
const FULL_RESULTS = [13, 778, 4874]
const SQLITE_BUSY = 5

/**
 * Whether an error, of the operating system or of the database, comes from an outage; null for all others.
 * Looks into the causes, because libraries wrap what they catch.
 */
export function outageOf(error: unknown): Outage | null {
  if (typeof error !== 'object' || error === null) return null
  if (FULL_CODES.includes(String(Reflect.get(error, 'code')))) return 'disk-full'
  // libSQL has the result of SQLite as rawCode, Prisma's adapters as originalCode.
  const result = Number(Reflect.get(error, 'rawCode') ?? Reflect.get(error, 'originalCode'))
  if (FULL_RESULTS.includes(result)) return 'disk-full'
  if ((result & 0xff) === SQLITE_BUSY) return 'database-locked'
  const { driverAdapterError } = Object(Reflect.get(error, 'meta'))
  return outageOf(driverAdapterError) ?? outageOf(Reflect.get(error, 'cause'))
}

/** The error that callers expect of an outage; anything else as it is. */
export function asExpected(error: unknown): unknown {
  const outage = outageOf(error)
  return outage ? new UnavailableError(MESSAGES[outage], { cause: error }) : error
}
