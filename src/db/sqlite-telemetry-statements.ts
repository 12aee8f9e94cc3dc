import type { ExecuteInTransaction } from './sqlite-log-line-statements.ts'
import { readRows } from './sqlite-rows.ts'
import type { TelemetryStatements } from './statements.ts'

/** The hand-written statements of telemetry for SQLite. */
export function createSqliteTelemetryStatements(
  executeInTransaction: ExecuteInTransaction,
): TelemetryStatements {
  return {
    async writeTelemetry(rows, ifThere) {
      await executeInTransaction(
        `INSERT INTO "TelemetryBucket" ("telemetryId", "width", "start", "count", "content")
         SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true
         ON CONFLICT ("telemetryId", "width", "start") DO ${
           ifThere === 'stays'
             ? 'NOTHING'
             : 'UPDATE SET "count" = excluded."count", "content" = excluded."content"'
         }`,
        [JSON.stringify(rows.map((row) => [row.telemetryId, row.width, row.start, row.count, row.content]))],
      )
    },

    async readTelemetry(on, spans) {
      const rows = await readRows<[number, number, number, number, string]>(
        on,
        `SELECT b."telemetryId", b."width", b."start", b."count", b."content"
         FROM json_each(?) s CROSS JOIN "TelemetryBucket" b ON ${IN_SPAN} ORDER BY b."telemetryId", b."start"`,
        ['telemetryId', 'width', 'start', 'count', 'content'],
        [toJson(spans)],
      )
      return rows.map(([telemetryId, width, start, count, content]) => {
        return { telemetryId, width, start, count, content }
      })
    },

    async findTelemetryRanges(on, spans, width) {
      const rows = await readRows<[number, number]>(
        on,
        `SELECT DISTINCT b."telemetryId", b."start" - b."start" % CAST(? AS INTEGER) AS "start"
         FROM json_each(?) s CROSS JOIN "TelemetryBucket" b ON ${IN_SPAN}`,
        ['telemetryId', 'start'],
        [width, toJson(spans)],
      )
      return rows.map(([telemetryId, start]) => ({ telemetryId, start }))
    },

    async lastTelemetry(on, telemetryIds, widths) {
      const rows = await readRows<[number, number, number | null]>(
        on,
        `SELECT n.value AS "telemetryId", w.value AS "width", (
           SELECT "start" FROM "TelemetryBucket" WHERE "telemetryId" = n.value AND "width" = w.value
           ORDER BY "start" DESC LIMIT 1) AS "start"
         FROM json_each(?) n CROSS JOIN json_each(?) w`,
        ['telemetryId', 'width', 'start'],
        [JSON.stringify(telemetryIds), JSON.stringify(widths)],
      )
      return rows.flatMap(([telemetryId, width, start]) =>
        start === null ? [] : [{ telemetryId, width, start }],
      )
    },

    async listTelemetryIds(on) {
      // From each to the next by the primary key, past all of its rows.
      const rows = await readRows<[number]>(
        on,
        `WITH RECURSIVE "present"("id") AS (
           SELECT MIN("telemetryId") FROM "TelemetryBucket"
           UNION ALL
           SELECT (SELECT MIN("telemetryId") FROM "TelemetryBucket" WHERE "telemetryId" > "present"."id")
           FROM "present" WHERE "present"."id" IS NOT NULL
         ) SELECT "id" FROM "present" WHERE "id" IS NOT NULL`,
        ['id'],
        [],
      )
      return rows.map(([id]) => id)
    },

    removeTelemetry: (on, { telemetryIds, width, before }, limit) =>
      on.$executeRawUnsafe(
        `DELETE FROM "TelemetryBucket" WHERE ("telemetryId", "width", "start") IN (
           SELECT b."telemetryId", b."width", b."start" FROM json_each(?) n CROSS JOIN "TelemetryBucket" b
             ON b."telemetryId" = n.value AND b."width" = CAST(? AS INTEGER) AND b."start" < CAST(? AS INTEGER)
           LIMIT ?)`,
        JSON.stringify(telemetryIds),
        width,
        before,
        limit,
      ),
  }
}

/** Whether a row `b` lies in a span `s`. */
const IN_SPAN = `b."telemetryId" = s.value->>0 AND b."width" = s.value->>1
           AND b."start" >= s.value->>2 AND b."start" < s.value->>3`

const toJson = (spans: { telemetryId: number; width: number; from: number; to: number }[]) =>
  JSON.stringify(spans.map(({ telemetryId, width, from, to }) => [telemetryId, width, from, to]))
