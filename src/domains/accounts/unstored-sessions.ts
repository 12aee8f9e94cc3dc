import type { UserSession } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { accountTopics } from './topics.ts'

/** How many there may be; more than people sign in while a disk is full. */
const MOST = 1000

/**
 * Sign-ins that were begun while the disk was full. Whoever comes to see what is wrong must get in, so they are kept
 * in memory: they end with this process, or as soon as any right of their person changes.
 */
export type UnstoredSessions = ReturnType<typeof createUnstoredSessions>

export function createUnstoredSessions(signals: Signals) {
  const sessions = new Map<string, UserSession>()

  signals.listen(accountTopics.rights, (userId) => {
    for (const [id, session] of sessions) if (session.userId === userId) sessions.delete(id)
  })

  return {
    add(session: UserSession): void {
      sessions.set(session.id, session)
      const [oldest] = sessions.keys()
      if (sessions.size > MOST && oldest !== undefined) sessions.delete(oldest)
    },
    find: (id: string): UserSession | null => sessions.get(id) ?? null,
    remove: (id: string): boolean => sessions.delete(id),
  }
}
