import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  AlertRuleCreateDocument,
  AlertRuleDeleteDocument,
  AlertRuleUpdateDocument,
  AuditTrailDocument,
  type CreateAlertRuleInput,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import { alertsOf } from './support/alerts.ts'

let app: TestApp
let given: ReturnType<typeof alertsOf>
beforeAll(async () => {
  app = await startTestApp()
  given = alertsOf(app.api)
})
afterAll(() => app.stop())

test('a new server has rules, and what an administrator makes of them stays so', async () => {
  const before = await given.rules()
  const thresholds = before.flatMap(({ condition, threshold }) => (threshold ? [[condition, threshold]] : []))
  expect(Object.fromEntries(thresholds)).toEqual({
    NODE_CPU: 90,
    NODE_MEMORY: 85,
    NODE_DISK: 90,
    GPU_TEMPERATURE: 75,
  })
  expect(new Set(before.map(({ condition }) => condition)).size).toBe(10)

  const hot = before.find(({ condition }) => condition === 'GPU_TEMPERATURE')
  const lost = before.find(({ condition }) => condition === 'RUN_LOST')
  await given.changeRule({ ruleId: hot?.id ?? '', threshold: 70, level: 'CRITICAL' })
  await app.api.send(AlertRuleDeleteDocument, { input: { ruleId: lost?.id ?? '' } })
  await app.restart()

  const after = await given.rules()
  expect(after.find(({ id }) => id === hot?.id)).toMatchObject({ threshold: 70, level: 'CRITICAL' })
  expect(after.map(({ id }) => id).sort()).toEqual(
    before.flatMap(({ id }) => (id === lost?.id ? [] : [id])).sort(),
  )
})

test.each<[string, CreateAlertRuleInput, string]>([
  ['without the threshold it needs', { name: 'a', condition: 'NODE_CPU' }, 'threshold'],
  ['with a threshold beyond 100 %', { name: 'a', condition: 'NODE_CPU', threshold: 101 }, 'threshold'],
  ['with a threshold of nothing', { name: 'a', condition: 'NODE_CPU', threshold: 0 }, 'threshold'],
  ['with a threshold for nothing', { name: 'a', condition: 'RUN_LOST', threshold: 5 }, 'threshold'],
  [
    'with a duration of what lasts for no time',
    { name: 'a', condition: 'RUN_FAILED', durationSeconds: 5 },
    'durationSeconds',
  ],
  [
    'with a negative duration',
    { name: 'a', condition: 'NODE_OFFLINE', durationSeconds: -1 },
    'durationSeconds',
  ],
  ['without a name', { name: ' ', condition: 'RUN_LOST' }, 'name'],
])('a rule %s is refused', async (_, input, path) => {
  const { createAlertRule } = await app.api.send(AlertRuleCreateDocument, { input })
  expect(createAlertRule).toMatchObject({ __typename: 'ValidationError', issues: [{ path: [path] }] })
})

test('a name is taken once, and a rule that is not there cannot be changed', async () => {
  await given.rule({ name: 'taken', condition: 'RUN_LOST' })
  const again = await app.api.send(AlertRuleCreateDocument, {
    input: { name: 'taken', condition: 'RUN_LOST' },
  })
  expect(again.createAlertRule.__typename).toBe('ConflictError')
  const other = await app.api.send(AlertRuleUpdateDocument, { input: { ruleId: 'rule_no', level: 'INFO' } })
  expect(other.updateAlertRule.__typename).toBe('NotFoundError')
})

test('a rule tells of what happens after it was made, and nothing more once it is disabled', async () => {
  const seeds = seed(app.api)
  const project = await seeds.project({ script: 'process.exit(3)' })
  const before = await seeds.run({ project })
  await seeds.end(before)
  const rule = await given.rule({ name: 'failures', condition: 'RUN_FAILED', level: 'INFO' })
  const runId = await seeds.run({ project })

  const ofRule = async () => (await given.list()).filter((alert) => alert.rule?.id === rule.id)
  const [alert] = await until('the alert', async () => {
    const found = await ofRule()
    return found.length > 0 && found
  })
  expect(alert).toMatchObject({ subjectId: runId, level: 'INFO', status: 'OPEN' })

  await given.changeRule({ ruleId: rule.id, enabled: false })
  expect(await ofRule()).toMatchObject([{ id: alert?.id, status: 'RESOLVED' }])
  await seeds.end(await seeds.run({ project }))
  // The rule that the server has from the start tells of it: by then this one would have.
  await until('the other alert', async () => (await given.list({ condition: 'RUN_FAILED' })).length === 4)
  expect(await ofRule()).toHaveLength(1)

  await app.api.send(AlertRuleDeleteDocument, { input: { ruleId: rule.id } })
  expect((await given.list()).find(({ id }) => id === alert?.id)).toMatchObject({ rule: null })
})

test('what is done to rules and alerts is written down, with what it was done to', async () => {
  const rule = await given.rule({ name: 'audited', condition: 'RUN_FAILED' })
  await given.changeRule({ ruleId: rule.id, name: 'renamed' })
  await app.api.send(AlertRuleDeleteDocument, { input: { ruleId: rule.id } })
  const { id } = (await given.list({ acknowledged: false }))[0] ?? {}
  await given.acknowledge(id ?? '')

  const { auditEvents } = await app.api.send(AuditTrailDocument, { first: 100 })
  const events = auditEvents.edges.map(({ node }) => node)
  const done = (target: string | undefined) =>
    events.flatMap(({ action, targetId, targetName }) => (targetId === target ? [[action, targetName]] : []))
  expect(done(rule.id)).toEqual([
    ['ALERT_RULE_DELETED', 'renamed'],
    ['ALERT_RULE_UPDATED', 'audited'],
    ['ALERT_RULE_CREATED', 'audited'],
  ])
  expect(done(id)).toEqual([['ALERT_ACKNOWLEDGED', expect.any(String)]])
})
