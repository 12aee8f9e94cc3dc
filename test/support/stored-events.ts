import type { Prisma } from '../../src/generated/prisma/client.ts'
import { newId } from '../../src/ids.ts'
import { inDatabase } from './in-database.ts'

/** What a test says of an event; the rest is as of something that the operator did just now. */
export type StoredEvent = Partial<Prisma.AuditEventCreateManyInput>

/** Puts events into the database of a test's server, which may be running. */
export async function storeEvents(dataDir: string, events: StoredEvent[]): Promise<void> {
  const rows = events.map((event) => ({
    id: newId('AuditEvent'),
    createdAt: new Date(),
    action: 'PROJECT_CREATED',
    actorKind: 'OPERATOR',
    details: {},
    ...event,
  }))
  await inDatabase(dataDir, (database) =>
    database.transaction((tx) => tx.auditEvent.createMany({ data: rows })),
  )
}

/** Puts in so many events that only one statement does it in good time; they are older than all others. */
export async function storeManyEvents(dataDir: string, count: number): Promise<void> {
  const statement = `
    INSERT INTO "AuditEvent" ("id", "createdAt", "action", "actorKind", "targetName", "details")
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${count})
    SELECT printf('aud_%026d', n), '2026-01-01T00:00:00.000+00:00', 'PROJECT_CREATED', 'OPERATOR', 'project ' || n, '{}'
    FROM numbers`
  await inDatabase(dataDir, (database) => database.transaction((tx) => tx.$executeRawUnsafe(statement)))
}
