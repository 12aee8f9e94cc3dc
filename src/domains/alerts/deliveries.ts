import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'
import type { WebhookDelivery } from '../../generated/prisma/client.ts'
import { webhookPurpose } from '../../secrets/sealed-columns.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Outcome, post } from './post.ts'
import { alertTopics } from './topics.ts'

/** Where a delivery is. */
export const DELIVERY_STATUSES = ['PENDING', 'DELIVERED', 'FAILED'] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** A stored status; the database holds nothing else. */
export function toDeliveryStatus(status: string): DeliveryStatus {
  const known = DELIVERY_STATUSES.find((candidate) => candidate === status)
  if (!known) throw new Error(`The database holds an unknown status ${status} of a delivery.`)
  return known
}

/** How long to wait after each attempt that fails, in ms; after as many and one more it is given up. */
export const RETRY_DELAYS_MS = [5, 30, 120, 600, 3600, 21_600].map((seconds) => seconds * 1000)
/** How long to wait when the database could not be asked, in ms. */
const TROUBLE_MS = 5000
/** The longest that a timer waits before it looks again, in ms. */
const LONGEST_WAIT_MS = 60_000
/** What is kept of an error, in characters. */
const MAX_ERROR_LENGTH = 500

/** What the delivery needs. */
export interface DeliveryDependencies {
  database: Database
  signals: Signals
  sealer: Sealer
  log: Logger
  now: () => Date
}

/**
 * Delivers what is written down for webhooks, at least once: a message whose answer is lost with the server is sent
 * again, under the same id. Each webhook gets one message at a time, the earliest first; while one waits to be tried
 * again, later ones go on. Webhooks do not wait for each other.
 */
export function createDeliveries({ database, signals, sealer, log, now }: DeliveryDependencies) {
  const { prisma } = database
  const abort = new AbortController()
  const busy = new Map<string, Promise<void>>()
  let timer: NodeJS.Timeout | null = null
  let stopListening = () => {}

  /** Starts with whatever is due, and looks again when something else is. */
  async function pump(): Promise<void> {
    const due = await prisma.webhookDelivery.groupBy({
      by: ['webhookId'],
      where: { ...dueNow(), webhookId: { notIn: [...busy.keys()] } },
    })
    if (abort.signal.aborted) return
    for (const { webhookId } of due) {
      if (busy.has(webhookId)) continue
      const done = deliverAll(webhookId)
        .catch(async (error: unknown) => {
          trouble(error)
          await sleep(TROUBLE_MS, undefined, { signal: abort.signal }).catch(() => undefined)
        })
        .finally(() => {
          busy.delete(webhookId)
          wake()
        })
      busy.set(webhookId, done)
    }
    const next = await prisma.webhookDelivery.findFirst({
      where: { status: 'PENDING', webhookId: { notIn: [...busy.keys()] } },
      orderBy: { nextAttemptAt: 'asc' },
      select: { nextAttemptAt: true },
    })
    if (next?.nextAttemptAt) schedule(Math.max(next.nextAttemptAt.getTime() - now().getTime(), 0))
  }

  const dueNow = () => ({ status: 'PENDING', nextAttemptAt: { lte: now() } })

  let pumping: Promise<void> = Promise.resolve()
  function wake() {
    if (abort.signal.aborted) return
    pumping = pumping.then(pump).catch(trouble)
  }

  function trouble(error: unknown) {
    log.error({ err: error }, 'webhooks could not be served; trying again')
    schedule(TROUBLE_MS)
  }

  function schedule(afterMs: number) {
    if (timer) clearTimeout(timer)
    if (abort.signal.aborted) return
    timer = setTimeout(wake, Math.min(afterMs, LONGEST_WAIT_MS)).unref()
  }

  async function deliverAll(webhookId: string): Promise<void> {
    while (!abort.signal.aborted) {
      const delivery = await prisma.webhookDelivery.findFirst({
        where: { ...dueNow(), webhookId },
        orderBy: { id: 'asc' },
        include: { webhook: { select: { url: true, secret: true } } },
      })
      if (!delivery) return
      const { id, body, webhook } = delivery
      const secret = sealer.open(webhook.secret, webhookPurpose(webhookId))
      const outcome = await post({ url: webhook.url, secret, id, body }, now(), abort.signal)
      if (abort.signal.aborted) return
      await conclude(delivery, outcome)
    }
  }

  /** Writes down what came of an attempt; nothing, when it was given up meanwhile. */
  async function conclude(
    { id, webhookId, attempts: before }: WebhookDelivery,
    { status: lastStatus, error }: Outcome,
  ): Promise<void> {
    const at = now()
    const delayMs = RETRY_DELAYS_MS[before]
    const came = { attempts: before + 1, lastStatus, lastError: error?.slice(0, MAX_ERROR_LENGTH) ?? null }
    const data =
      error === null
        ? { ...came, status: 'DELIVERED', nextAttemptAt: null, deliveredAt: at }
        : delayMs === undefined
          ? { ...came, status: 'FAILED', nextAttemptAt: null }
          : { ...came, nextAttemptAt: new Date(at.getTime() + delayMs) }
    await database.transaction((tx) =>
      tx.webhookDelivery.updateMany({ where: { id, status: 'PENDING' }, data }),
    )
    if (error !== null) log.warn({ webhookId, deliveryId: id, attempts: before + 1, error }, 'not delivered')
  }

  return {
    start(): void {
      stopListening = signals.listen(alertTopics.deliveries, wake)
      wake()
    },

    async stop(): Promise<void> {
      stopListening()
      abort.abort()
      if (timer) clearTimeout(timer)
      await pumping
      await Promise.all(busy.values())
    },
  }
}
