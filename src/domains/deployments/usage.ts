import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'
import { ValidationError } from '../../errors.ts'
import type { DeploymentUsage } from '../../generated/prisma/client.ts'
import { outageOf } from '../../outage.ts'

/** What a request to a model has cost, and how it went. */
export interface CountedRequest {
  /** What the client was answered; 499 when it left first. */
  status: number
  promptTokens: number | null
  completionTokens: number | null
  timeToFirstTokenMs: number | null
  durationMs: number
}

/** What was asked of a deployment in a span of time. */
export interface UsageBucket {
  since: Date
  /** Not included. */
  until: Date
  requests: number
  errors: number
  promptTokens: number
  completionTokens: number
  /** Null when no request had a first token. */
  meanTimeToFirstTokenMs: number | null
  slowestTimeToFirstTokenMs: number | null
  meanDurationMs: number
}

/** Which part of the usage a chart wants. */
export interface UsageRequest {
  since?: Date | null
  until?: Date | null
  maxPoints: number
}

/** The most buckets that one request gets. */
export const MAX_USAGE_POINTS = 2000
const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
/** The longest span that one request may ask for, in minutes: it is read row by row. */
const MAX_SPAN = 31 * DAY_MINUTES
/** How long counts are kept, in minutes. */
const KEPT = 180 * DAY_MINUTES
/** How often what was counted is stored, in ms. */
const STORE_MS = 3000

type Counts = Omit<DeploymentUsage, 'deploymentId' | 'minute'>

export type UsageCounter = ReturnType<typeof createUsageCounter>

/** Counts requests by deployment and minute, in memory, and stores them every few seconds. */
export function createUsageCounter(deps: { database: Database; log: Logger; now?: () => Date }) {
  const { database, log, now = () => new Date() } = deps
  /** By deployment, then by minute. */
  let pending = new Map<string, Map<number, Counts>>()
  let storing: Promise<void> = Promise.resolve()
  let timer: NodeJS.Timeout | undefined
  let isFailing = false

  async function storePending(): Promise<void> {
    const counted = pending
    if (counted.size === 0) return
    pending = new Map()
    try {
      await database.transaction(async (tx) => {
        const there = await tx.deployment.findMany({
          where: { id: { in: [...counted.keys()] } },
          select: { id: true },
        })
        for (const { id: deploymentId } of there) {
          for (const [minute, counts] of counted.get(deploymentId) ?? []) {
            const key = { deploymentId_minute: { deploymentId, minute } }
            const stored = await tx.deploymentUsage.findUnique({ where: key })
            const data = stored ? sumOf(stored, counts) : counts
            await tx.deploymentUsage.upsert({
              where: key,
              create: { deploymentId, minute, ...data },
              update: data,
            })
          }
          await tx.deployment.update({ where: { id: deploymentId }, data: { lastRequestAt: now() } })
        }
      })
      isFailing = false
    } catch (error) {
      for (const [id, minutes] of counted) for (const [minute, counts] of minutes) add(id, minute, counts)
      // Of a full disk there is one line elsewhere; what was counted is stored when there is room.
      if (!isFailing && !outageOf(error)) log.error({ err: error }, 'usage could not be stored; trying again')
      isFailing = true
    }
  }

  function store(): Promise<void> {
    storing = storing.then(storePending)
    return storing
  }

  function add(deploymentId: string, minute: number, counts: Counts): void {
    const minutes = pending.get(deploymentId) ?? new Map<number, Counts>()
    const earlier = minutes.get(minute)
    pending.set(deploymentId, minutes.set(minute, earlier ? sumOf(earlier, counts) : counts))
  }

  return {
    /** Counts a request that is over. */
    count(deploymentId: string, request: CountedRequest): void {
      add(deploymentId, minuteOf(now()), countsOf(request))
    },

    /** What was asked of a deployment, for a chart: the last day unless it says otherwise. @throws ValidationError */
    async series(deployment: { id: string }, request: UsageRequest): Promise<UsageBucket[]> {
      const until = minuteOf(request.until ?? now())
      const since = request.since ? minuteOf(request.since) : until - DAY_MINUTES
      if (request.maxPoints < 1 || request.maxPoints > MAX_USAGE_POINTS) {
        throw ValidationError.at('maxPoints', `Must be from 1 to ${MAX_USAGE_POINTS}.`)
      }
      if (until - since > MAX_SPAN) throw ValidationError.at('since', 'At most 31 days at once.')
      await store()
      const rows = await database.prisma.deploymentUsage.findMany({
        where: { deploymentId: deployment.id, minute: { gte: since, lte: until } },
        orderBy: { minute: 'asc' },
      })
      const width = Math.ceil((until - since + 1) / request.maxPoints)
      return bucketsOf(rows, since, width)
    },

    async start(): Promise<void> {
      const outdated = minuteOf(now()) - KEPT
      await database.transaction((tx) =>
        tx.deploymentUsage.deleteMany({ where: { minute: { lt: outdated } } }),
      )
      timer = setInterval(() => void store(), STORE_MS).unref()
    },

    /** Stores what is counted so far. */
    async stop(): Promise<void> {
      clearInterval(timer)
      await store()
    },
  }
}

function countsOf(request: CountedRequest): Counts {
  const { status, timeToFirstTokenMs: firstTokenMs } = request
  return {
    requests: 1,
    // A client that leaves is no error of the model's.
    errors: status >= 400 && status !== 499 ? 1 : 0,
    promptTokens: request.promptTokens ?? 0,
    completionTokens: request.completionTokens ?? 0,
    firstTokens: firstTokenMs === null ? 0 : 1,
    firstTokenMs: firstTokenMs ?? 0,
    slowestFirstToken: firstTokenMs ?? 0,
    durationMs: request.durationMs,
  }
}

function sumOf(one: Counts, other: Counts): Counts {
  return {
    requests: one.requests + other.requests,
    errors: one.errors + other.errors,
    promptTokens: one.promptTokens + other.promptTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    firstTokens: one.firstTokens + other.firstTokens,
    firstTokenMs: one.firstTokenMs + other.firstTokenMs,
    slowestFirstToken: Math.max(one.slowestFirstToken, other.slowestFirstToken),
    durationMs: one.durationMs + other.durationMs,
  }
}

/** Rows as buckets of `width` minutes from `origin` on; empty ones are left out. */
function bucketsOf(rows: DeploymentUsage[], origin: number, width: number): UsageBucket[] {
  const groups = Map.groupBy(rows, ({ minute }) => Math.floor((minute - origin) / width))
  return [...groups].map(([index, members]) => {
    const sum = members.map((row): Counts => row).reduce(sumOf)
    const first = origin + index * width
    return {
      since: new Date(first * MINUTE_MS),
      until: new Date((first + width) * MINUTE_MS),
      requests: sum.requests,
      errors: sum.errors,
      promptTokens: sum.promptTokens,
      completionTokens: sum.completionTokens,
      meanTimeToFirstTokenMs: sum.firstTokens === 0 ? null : sum.firstTokenMs / sum.firstTokens,
      slowestTimeToFirstTokenMs: sum.firstTokens === 0 ? null : sum.slowestFirstToken,
      meanDurationMs: sum.durationMs / sum.requests,
    }
  })
}

const minuteOf = (time: Date) => Math.floor(time.getTime() / MINUTE_MS)
