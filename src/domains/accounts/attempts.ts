import { clientOf } from '../../network.ts'
import { createRecentlyUsed } from '../../streams/recently-used.ts'
import { createLimit, tryAgainIn } from './limit.ts'

/** How many wrong passwords cost nothing: people mistype, and try the two or three that they have. */
const FREE_FAILURES = 5
/** The longest pause between two attempts, in ms. */
const LONGEST_PAUSE_MS = 15 * 60_000
/** After this time without a failure the count begins anew, in ms. */
const FORGOTTEN_AFTER_MS = 24 * 3_600_000
/** How many accounts are kept count of; to push one out takes as many failures, each of which costs a hash. */
const MAX_ACCOUNTS = 50_000
/** How many attempts on one account may wait for those before them. */
const MAX_WAITING = 50
/** Within how long the failures from one address are counted together, in seconds. */
const ADDRESS_SECONDS = 600

const REFUSAL = 'Too many wrong passwords'

/** Who tries, and on which account. */
export interface Attempt {
  /** The account, or the name that none has: both are treated alike. */
  account: string
  /** The address of the client. */
  address: string | null
}

export type Attempts = ReturnType<typeof createAttempts>

/** What failed for one account. */
interface Failures {
  count: number
  /** When the last did, in ms. */
  at: number
}

/** Those who try the same account at the same time. */
interface Queue {
  length: number
  /** Settles when nobody checks a password of this account; never fails. */
  last: Promise<unknown>
}

/**
 * Slows down those who guess: after five wrong passwords for an account there must be 1, 2, 4 … seconds between
 * attempts, up to 15 minutes. Kept in memory: who can restart the server need not guess.
 */
export function createAttempts({
  failuresPerAddress,
  now = () => new Date(),
}: {
  /** How many attempts may fail from one address in ten minutes; 0 for any number. */
  failuresPerAddress: number
  now?: () => Date
}) {
  const addresses = createLimit({ points: failuresPerAddress, seconds: ADDRESS_SECONDS, refusal: REFUSAL })
  // Written by failures alone, so that nothing that is cheaper pushes anything out.
  const failures = createRecentlyUsed<Failures>(MAX_ACCOUNTS)
  const queues = new Map<string, Queue>()
  /** How many attempts from an address are being checked. */
  const underWay = new Map<string, number>()

  const forget = (account: string) => {
    if (failures.get(account)) failures.add(account, { count: 0, at: 0 }, 1)
  }

  function failuresOf(account: string): Failures {
    const known = failures.get(account)
    const isRecent = known && now().getTime() - known.at <= FORGOTTEN_AFTER_MS
    return isRecent ? known : { count: 0, at: 0 }
  }

  async function tryOnce({ account, address }: Attempt, check: () => Promise<boolean>): Promise<boolean> {
    const { count, at } = failuresOf(account)
    const remaining = at + pauseAfter(count) - now().getTime()
    if (remaining > 0) throw tryAgainIn(remaining, REFUSAL)
    return fromAddress(clientOf(address), async () => {
      const isRight = await check()
      if (isRight) forget(account)
      else failures.add(account, { count: count + 1, at: now().getTime() }, 1)
      return isRight
    })
  }

  /** Counts attempts before they are checked, because those for many accounts are checked at the same time. */
  async function fromAddress(client: string, attempt: () => Promise<boolean>): Promise<boolean> {
    const before = underWay.get(client) ?? 0
    underWay.set(client, before + 1)
    try {
      await addresses.check(client, before)
      const isRight = await attempt()
      if (!isRight) await addresses.count(client)
      return isRight
    } finally {
      const left = (underWay.get(client) ?? 1) - 1
      if (left > 0) underWay.set(client, left)
      else underWay.delete(client)
    }
  }

  return {
    /**
     * Checks a password when its turn has come: those for one account are checked one after the other, so that
     * many at once are as many attempts.
     *
     * @throws UnavailableError, without a look at the password, when it is too early or too many failed from there;
     *   this counts as no attempt
     */
    async try(attempt: Attempt, check: () => Promise<boolean>): Promise<boolean> {
      const { account } = attempt
      const queue = queues.get(account) ?? { length: 0, last: Promise.resolve() }
      if (queue.length >= MAX_WAITING) throw tryAgainIn(1000, REFUSAL)
      queues.set(account, queue)
      queue.length += 1
      const turn = queue.last.then(() => tryOnce(attempt, check))
      queue.last = turn.catch(() => undefined)
      try {
        return await turn
      } finally {
        queue.length -= 1
        if (queue.length === 0) queues.delete(account)
      }
    },

    /** Forgets what failed: the account has a new password. */
    forget,
  }
}

/** How long to wait after so many failures, in ms. */
export function pauseAfter(failures: number): number {
  if (failures < FREE_FAILURES) return 0
  return Math.min(1000 * 2 ** (failures - FREE_FAILURES), LONGEST_PAUSE_MS)
}
