import type { Logger } from 'pino'
import type { Database } from '../../db/database.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import type { Signals } from '../../streams/signals.ts'
import { createAlertService } from './alerts.ts'
import { createDeliveries } from './deliveries.ts'
import { createAlertRetention } from './retention.ts'
import { createAlertRuleService } from './rules.ts'
import { createAlertWatcher } from './watch.ts'
import { createWebhookService } from './webhooks.ts'
import { createAlertWorker } from './worker/worker.ts'

/** What alerts need. */
export interface AlertDependencies {
  database: Database
  signals: Signals
  sealer: Sealer
  log: Logger
  /** How many days alerts are kept; 0 for ever. */
  alertDays: number
  now?: () => Date
}

/** The services that resolvers call. */
export type AlertServices = ReturnType<typeof createAlerts>['services']

/** Rules, the alerts that come of them, and the webhooks that are told. */
export function createAlerts({ now = () => new Date(), ...rest }: AlertDependencies) {
  const deps = { ...rest, now }
  const worker = createAlertWorker(deps)
  const deliveries = createDeliveries(deps)
  const retention = createAlertRetention(deps)

  return {
    services: {
      alerts: createAlertService(deps),
      alertRules: createAlertRuleService(deps),
      alertWatcher: createAlertWatcher(deps),
      webhooks: createWebhookService(deps),
    },

    /** Takes note of how a compute node does. */
    observe: worker.observe,

    async start(): Promise<void> {
      await worker.start()
      deliveries.start()
      retention.start()
    },

    /** Leaves what is to be delivered to the next server. */
    async stop(): Promise<void> {
      await Promise.all([worker.stop(), deliveries.stop(), retention.stop()])
    },
  }
}
