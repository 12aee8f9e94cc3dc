import type { ServerResponse } from 'node:http'
import type { Database } from '../db/database.ts'
import type { Room } from '../storage/room.ts'
import { sendJson } from './respond.ts'

/** Tells whether the server lives and whether it can be used. */
export interface Health {
  /** From now on, or not any more, the server takes work. */
  setReady(ready: boolean): void
  /** `/healthz`: the process answers. */
  live(res: ServerResponse): void
  /** `/readyz`: the server takes work, its database answers and its disk has room; 503 with a reason otherwise. */
  ready(res: ServerResponse): Promise<void>
}

/** Health of a server that is not ready yet. */
export function createHealth({ database, room }: { database: Database; room: Room }): Health {
  let isReady = false

  /** Why the server cannot be used right now; null when it can. */
  async function problem(): Promise<string | null> {
    if (!isReady) return 'The server is starting or stopping.'
    const answers = await database.prisma.$queryRawUnsafe('SELECT 1').then(Boolean, () => false)
    if (!answers) return 'The database does not answer.'
    return (await room.isFull()) ? 'The disk is full: it can be read from, but not written to.' : null
  }

  return {
    setReady(ready) {
      isReady = ready
    },
    live: (res) => sendJson(res, 200, { status: 'ok' }),
    async ready(res) {
      const reason = await problem()
      if (reason === null) sendJson(res, 200, { status: 'ok' })
      else sendJson(res, 503, { status: 'unavailable', reason })
    },
  }
}
