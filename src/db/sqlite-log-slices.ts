import type { PrismaClient } from '../generated/prisma/client.ts'
import type { InTurn } from '../turns.ts'
import type { LogLineSelection } from './statements.ts'

/** How many lines are looked at in one turn, and how many bytes of text are searched: some milliseconds' worth. */
const SLICE_LINES = 4096
const SLICE_BYTES = 1024 * 1024

/** Which numbers there are to look at, the bounds not among them. */
interface Bounds {
  after: number
  before: number
}

/** Whether it takes a look at the lines themselves to tell which are selected. */
export function isFiltered({ streamId, after, before, ...filter }: LogLineSelection): boolean {
  return Object.values(filter).some((value) => value !== undefined && value !== '')
}

/** The numbers of a stream that a selection is within. A stream is numbered from 1, without gaps. */
export async function boundsOf(
  on: PrismaClient,
  { streamId, after, before }: LogLineSelection,
): Promise<Bounds> {
  const [row] = await on.$queryRawUnsafe<{ last: bigint | null }[]>(
    'SELECT MAX("seq") AS "last" FROM "LogLine" WHERE "streamId" = ?',
    streamId,
  )
  const end = Number(row?.last ?? 0) + 1
  return { after: after ?? 0, before: Math.min(before ?? end, end) }
}

/**
 * Looks at the lines of a selection from one end to the other, as long as `look` says to go on: SQLite works on
 * the thread of the server, so that a long log is looked at piece by piece, each in its turn.
 */
export async function lookInSlices(
  on: PrismaClient,
  selection: LogLineSelection,
  from: 'start' | 'end',
  inTurn: InTurn,
  look: (slice: LogLineSelection) => Promise<boolean>,
): Promise<void> {
  const rest = await boundsOf(on, selection)
  let lines = SLICE_LINES
  let goesOn = true
  while (goesOn && rest.after + 1 < rest.before) {
    const slice = { ...selection, ...cut(rest, lines, from) }
    goesOn = await inTurn(async () => {
      const count = slice.before - slice.after - 1
      if (selection.search && count > 1 && (await bytesIn(on, slice)) > SLICE_BYTES) {
        lines = Math.ceil(count / 2)
        return true
      }
      lines = Math.min(2 * lines, SLICE_LINES)
      if (from === 'start') rest.after = slice.before - 1
      else rest.before = slice.after + 1
      return look(slice)
    })
  }
}

function cut({ after, before }: Bounds, lines: number, from: 'start' | 'end'): Bounds {
  return from === 'start'
    ? { after, before: Math.min(after + lines + 1, before) }
    : { after: Math.max(before - lines - 1, after), before }
}

/** How much text lines have; SQLite knows without reading it. */
async function bytesIn(on: PrismaClient, { streamId, after, before }: Bounds & { streamId: number }) {
  const [row] = await on.$queryRawUnsafe<{ bytes: bigint | null }[]>(
    `SELECT SUM(octet_length("message")) AS "bytes" FROM "LogLine"
     WHERE "streamId" = ? AND "seq" > ? AND "seq" < ?`,
    streamId,
    after,
    before,
  )
  return Number(row?.bytes ?? 0)
}
