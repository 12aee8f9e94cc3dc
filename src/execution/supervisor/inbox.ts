import { setInterval } from 'node:timers'
import { hasCode } from './atomic-file.ts'
import { log } from './durably.ts'
import { combine, readTerminationRequest, type TerminationRequest } from './termination-request.ts'

/** How often the folder is looked at: the delay when whoever asked died before it could signal. */
const POLL_INTERVAL = 500

/** The grace without a stored request: when SIGTERM comes, as at the shutdown of a machine, or the folder is gone. */
const DEFAULT_GRACE = 30_000

/** The requests to terminate that have reached this process. */
export interface Inbox {
  /** What was asked so far; null when nothing was. */
  current: () => TerminationRequest | null
  /** Looks into the folder now. Never rejects: the next look may work. */
  check: () => Promise<void>
  /** Resolves with the first request. */
  first: Promise<void>
}

/**
 * Takes requests from the execution's folder and from SIGTERM, for the life of this process. That the folder
 * was removed is a request too: nobody could find the execution any more, and it would go on for ever. SIGINT
 * and SIGHUP, which a terminal sends to everything that was started in it, are ignored.
 */
export function openInbox(directory: string): Inbox {
  let current: TerminationRequest | null = null
  let failed = false
  const { promise: first, resolve } = Promise.withResolvers<void>()

  const take = (request: TerminationRequest) => {
    current = current ? combine(current, request) : request
    resolve()
  }
  const takeDefault = (requestedAt: number) => {
    if (!current) take({ requestedAt, deadline: requestedAt + DEFAULT_GRACE, grace: DEFAULT_GRACE })
  }
  const check = async () => {
    try {
      const stored = await readTerminationRequest(directory)
      if (stored) take(stored)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return takeDefault(Date.now())
      // Once: twice a second for weeks would fill the disk.
      if (!failed) log(`requests to terminate cannot be read: ${error}`)
      failed = true
    }
  }

  process.on('SIGINT', () => {})
  process.on('SIGHUP', () => {})
  process.on('SIGTERM', async () => {
    // The command may have got the signal too, and end meanwhile.
    const requestedAt = Date.now()
    await check()
    takeDefault(requestedAt)
  })
  setInterval(check, POLL_INTERVAL)

  return { current: () => current, check, first }
}
