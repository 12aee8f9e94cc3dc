import type { ServerResponse } from 'node:http'
import type { Database } from '../db/database.ts'
import { sendJson } from './respond.ts'

/** Tells whether the server lives and whether it can be used. */
export interface Health {
  /** From now on, or not any more, the server takes work. */
  setReady(ready: boolean): void
  /** `/healthz`: the process answers. */
  live(res: ServerResponse): void
  /** `/readyz`: the server takes work and its database answers; 503 otherwise. */
  ready(res: ServerResponse): Promise<void>
}

/** Health of a server that is not ready yet. */
export function createHealth(database: Database): Health {
  let isReady = false
  return {
    setReady(ready) {
      isReady = ready
    },
    live: (res) => sendJson(res, 200, { status: 'ok' }),
    async ready(res) {
      const answers =
        isReady && (await database.prisma.$queryRawUnsafe('SELECT 1').then(Boolean, () => false))
      sendJson(res, answers ? 200 : 503, { status: answers ? 'ok' : 'unavailable' })
    },
  }
}
