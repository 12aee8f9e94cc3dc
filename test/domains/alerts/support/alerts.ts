import {
  AlertAcknowledgeDocument,
  type AlertFilter,
  AlertListDocument,
  AlertRuleCreateDocument,
  AlertRuleListDocument,
  type AlertRuleStateFragment,
  AlertRuleUpdateDocument,
  type AlertStateFragment,
  type CreateAlertRuleInput,
  RunLogMetricsDocument,
  type UpdateAlertRuleInput,
  WebhookCreateDocument,
  WebhookListDocument,
  type WebhookStateFragment,
} from '../../../../src/generated/operations.ts'
import type { ApiClient } from '../../../support/client.ts'
import { expected } from '../../../support/people.ts'
import { until } from '../../../support/until.ts'

/** Has to do with alerts through the API, so that a test reads as a sentence; whatever goes wrong fails the test. */
export function alertsOf(api: ApiClient) {
  const list = async (filter: AlertFilter = {}): Promise<AlertStateFragment[]> => {
    const { alerts } = await api.send(AlertListDocument, { filter })
    return alerts.edges.map(({ node }) => node)
  }
  const rules = async (): Promise<AlertRuleStateFragment[]> => {
    const { alertRules } = await api.send(AlertRuleListDocument, {})
    return alertRules.edges.map(({ node }) => node)
  }

  return {
    list,
    rules,

    /** The alert that matches, once there is one. */
    fires: (filter: AlertFilter) =>
      until(`an alert ${JSON.stringify(filter)}`, async () => (await list(filter))[0]),

    async acknowledge(alertId: string, note?: string): Promise<AlertStateFragment> {
      const { acknowledgeAlert } = await api.send(AlertAcknowledgeDocument, { input: { alertId, note } })
      return expected(acknowledgeAlert, 'Alert')
    },

    async rule(input: CreateAlertRuleInput): Promise<AlertRuleStateFragment> {
      const { createAlertRule } = await api.send(AlertRuleCreateDocument, { input })
      return expected(createAlertRule, 'AlertRule')
    },

    async changeRule(input: UpdateAlertRuleInput): Promise<AlertRuleStateFragment> {
      const { updateAlertRule } = await api.send(AlertRuleUpdateDocument, { input })
      return expected(updateAlertRule, 'AlertRule')
    },

    async webhook(name: string, url: string): Promise<WebhookStateFragment & { secret: string }> {
      const { createWebhook } = await api.send(WebhookCreateDocument, { input: { name, url } })
      const webhook = expected(createWebhook, 'Webhook')
      return { ...webhook, secret: webhook.secret ?? '' }
    },

    /** What a webhook was, or is to be, told, the latest first. */
    async deliveries(webhookId: string) {
      const { webhooks } = await api.send(WebhookListDocument, {})
      const webhook = webhooks.edges.find(({ node }) => node.id === webhookId)?.node
      return webhook?.deliveries.edges.map(({ node }) => node) ?? []
    },

    /** Lets a run report that its loss is no number. */
    async reportNaN(runId: string, key = 'train/loss', step = 7): Promise<void> {
      const series = [{ key, steps: [step], values: [0], nonFinite: ['NAN' as const] }]
      expected((await api.send(RunLogMetricsDocument, { input: { runId, series } })).logMetrics, 'Run')
    },
  }
}
