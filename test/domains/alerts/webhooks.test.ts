import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openDatabase } from '../../../src/db/database.ts'
import {
  WebhookCreateDocument,
  WebhookDeleteDocument,
  WebhookListDocument,
  WebhookTryDocument,
  WebhookUpdateDocument,
} from '../../../src/generated/operations.ts'
import { startTestApp, type TestApp } from '../../support/app.ts'
import { endRuns } from '../../support/end-runs.ts'
import { expected, givenPerson } from '../../support/people.ts'
import { seed } from '../../support/seed.ts'
import { startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { alertsOf } from './support/alerts.ts'
import { isSignedWith, type Receiver, startReceiver } from './support/receiver.ts'

let app: TestApp
let alerts: ReturnType<typeof alertsOf>
let project: string

const receivers: Receiver[] = []
beforeAll(async () => {
  app = await startTestApp({ maxConcurrentRuns: 20 })
  alerts = alertsOf(app.api)
  project = await seed(app.api).project({ script: 'setInterval(() => {}, 1000)' })
})
afterEach(async () => {
  const { webhooks } = await app.api.send(WebhookListDocument, {})
  for (const { node } of webhooks.edges)
    await app.api.send(WebhookDeleteDocument, { input: { webhookId: node.id } })
  await Promise.all(receivers.splice(0).map((receiver) => receiver.close()))
})
afterAll(async () => {
  await endRuns(app.api)
  await app.stop()
})

const newRun = () => seed(app.api).run({ project })

async function receiver(answer?: Parameters<typeof startReceiver>[0]): Promise<Receiver> {
  const started = await startReceiver(answer)
  receivers.push(started)
  return started
}

/** An alert of a run of its own. */
async function newAlert() {
  const id = await newRun()
  await alerts.reportNaN(id)
  return alerts.fires({ subject: id })
}

const isAbout = (id: string, type: string) => (message: { content: { type: string; data: object } }) =>
  message.content.type === type && 'id' in message.content.data && message.content.data.id === id

test('an alert is delivered as it fires and as it is resolved, signed, with what it is about', async () => {
  const { url, received, gets } = await receiver()
  const { id: webhookId, secret } = await alerts.webhook('team chat', url)
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]+=*$/)

  const alert = await newAlert()
  const fired = await gets('the alert', isAbout(alert.id, 'alert.fired'))
  expect(isSignedWith(secret, fired)).toBe(true)
  expect(isSignedWith(`whsec_${Buffer.alloc(32).toString('base64')}`, fired)).toBe(false)
  expect(fired.headers['content-type']).toBe('application/json')
  expect(fired.content.data).toMatchObject({
    condition: 'RUN_METRIC_NOT_FINITE',
    level: 'WARNING',
    subject: { kind: 'Run', id: alert.subjectId, name: alert.subjectName },
    project: { name: project },
    rule: { name: 'Loss is not a number' },
    firedAt: alert.firedAt,
    resolvedAt: null,
    acknowledgedBy: null,
  })

  await alerts.acknowledge(alert.id, 'seen')
  const resolved = await gets('its end', isAbout(alert.id, 'alert.resolved'))
  expect(isSignedWith(secret, resolved)).toBe(true)
  expect(resolved.content.data).toMatchObject({ note: 'seen', acknowledgedBy: { username: 'admin' } })
  expect(resolved.id).not.toBe(fired.id)

  const deliveries = await until('both to be delivered', async () => {
    const all = await alerts.deliveries(webhookId)
    return all.every(({ status }) => status === 'DELIVERED') && all
  })
  expect(deliveries).toMatchObject([
    {
      id: resolved.id,
      event: 'RESOLVED',
      attempts: 1,
      lastStatus: 200,
      lastError: null,
      alert: { id: alert.id },
    },
    { id: fired.id, event: 'FIRED', attempts: 1, nextAttemptAt: null },
  ])
  expect(received).toHaveLength(2)
})

test('what a receiver does not take is sent again, as the same message, and nothing else waits for it', async () => {
  const failing = await receiver((response, number) => response.writeHead(number === 0 ? 503 : 204).end('x'))
  const { id: webhookId, secret } = await alerts.webhook('failing', failing.url)
  const healthy = await receiver()
  await alerts.webhook('healthy', healthy.url)

  const alert = await newAlert()
  await healthy.gets('the alert', isAbout(alert.id, 'alert.fired'))
  const waiting = await until('the first attempt', async () =>
    (await alerts.deliveries(webhookId)).find(({ attempts }) => attempts === 1),
  )
  expect(waiting).toMatchObject({
    status: 'PENDING',
    lastStatus: 503,
    lastError: 'The receiver answered 503.',
  })

  const next = await newAlert()
  await failing.gets('the next alert meanwhile', isAbout(next.id, 'alert.fired'))
  await until('the second attempt', () => failing.received.length === 3)
  const [first, , again] = failing.received
  expect(again).toMatchObject({ id: first?.id, body: first?.body })
  expect(failing.received.every((message) => isSignedWith(secret, message))).toBe(true)
  await until('it to be delivered', async () => {
    const delivery = (await alerts.deliveries(webhookId)).find(({ id }) => id === first?.id)
    return delivery?.status === 'DELIVERED' && delivery.attempts === 2
  })
})

test('a receiver that hangs holds up nobody else, and has ten seconds', async () => {
  const hanging = await receiver(() => {})
  const { id: webhookId } = await alerts.webhook('hanging', hanging.url)
  const healthy = await receiver()
  await alerts.webhook('healthy', healthy.url)

  const one = await newAlert()
  await hanging.gets('the alert', isAbout(one.id, 'alert.fired'))
  const other = await newAlert()
  await healthy.gets('another alert', isAbout(other.id, 'alert.fired'))
  expect(hanging.received).toHaveLength(1)

  const given = await until('the attempt to be given up', async () =>
    (await alerts.deliveries(webhookId)).find(({ attempts }) => attempts === 1),
  )
  expect(given).toMatchObject({
    status: 'PENDING',
    lastStatus: null,
    lastError: 'The receiver did not answer within 10 s.',
  })
})

test('a redirect is not followed', async () => {
  const target = await receiver()
  const redirecting = await receiver((response) => response.writeHead(307, { location: target.url }).end())
  const { id: webhookId } = await alerts.webhook('redirecting', redirecting.url)

  await newAlert()

  const delivery = await until('the attempt', async () =>
    (await alerts.deliveries(webhookId)).find(({ attempts }) => attempts === 1),
  )
  expect(delivery).toMatchObject({ status: 'PENDING', lastError: 'The receiver answered 307.' })
  expect(target.received).toEqual([])
})

test('an answer without end is not read', async () => {
  const endless = await receiver((response) => {
    response.writeHead(200)
    const write = () => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    }
    response.on('drain', write)
    write()
  })
  const { id: webhookId } = await alerts.webhook('endless', endless.url)

  await newAlert()

  await until('it to be delivered', async () =>
    (await alerts.deliveries(webhookId)).some(({ status }) => status === 'DELIVERED'),
  )
})

test('what was tried for the last time has failed', async () => {
  const failing = await receiver((response) => response.writeHead(500).end())
  const { id: webhookId } = await alerts.webhook('failing', failing.url)
  await newAlert()
  await until('the first attempt', async () =>
    (await alerts.deliveries(webhookId)).some(({ attempts }) => attempts === 1),
  )

  // As after a night of attempts: what is stored decides when the next one is.
  const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
  await database.transaction((tx) =>
    tx.webhookDelivery.updateMany({ where: { webhookId }, data: { attempts: 6, nextAttemptAt: new Date() } }),
  )
  await database.close()
  await newAlert()

  const failed = await until('it to be given up', async () =>
    (await alerts.deliveries(webhookId)).find(({ status }) => status === 'FAILED'),
  )
  expect(failed).toMatchObject({ attempts: 7, nextAttemptAt: null, lastError: 'The receiver answered 500.' })
})

describe('an administrator', () => {
  test('says from which level on a webhook is told, and whether at all', async () => {
    const quiet = await receiver()
    const silent = await receiver()
    const loud = await receiver()
    const { id } = await alerts.webhook('quiet', quiet.url)
    await app.api.send(WebhookUpdateDocument, { input: { webhookId: id, minimumLevel: 'CRITICAL' } })
    const { id: off } = await alerts.webhook('silent', silent.url)
    await app.api.send(WebhookUpdateDocument, { input: { webhookId: off, enabled: false } })
    await alerts.webhook('loud', loud.url)

    const alert = await newAlert()
    await loud.gets('the alert', isAbout(alert.id, 'alert.fired'))

    expect(await alerts.deliveries(id)).toEqual([])
    expect(await alerts.deliveries(off)).toEqual([])
  })

  test('gives up what a webhook was to be told by disabling it', async () => {
    const failing = await receiver((response) => response.writeHead(500).end())
    const { id: webhookId } = await alerts.webhook('failing', failing.url)
    await newAlert()
    await until('the first attempt', async () =>
      (await alerts.deliveries(webhookId)).some(({ attempts }) => attempts === 1),
    )
    await app.api.send(WebhookUpdateDocument, { input: { webhookId, enabled: false } })

    expect(await alerts.deliveries(webhookId)).toMatchObject([
      { status: 'FAILED', nextAttemptAt: null, lastError: 'The webhook was disabled.' },
    ])
  })

  test('sees the secret once, and the database has it sealed', async () => {
    const { url, gets } = await receiver()
    const { id: webhookId, secret } = await alerts.webhook('team chat', url)
    const { webhooks } = await app.api.send(WebhookListDocument, {})
    expect(webhooks.edges.map(({ node }) => node.secret)).toEqual([null])
    const database = await openDatabase(join(app.dataDir, 'trainyard.db'))
    const stored = await database.prisma.webhook.findUniqueOrThrow({ where: { id: webhookId } })
    await database.close()
    expect(stored.secret).not.toContain(secret.slice('whsec_'.length))

    const { updateWebhook } = await app.api.send(WebhookUpdateDocument, {
      input: { webhookId, newSecret: true },
    })
    const next = expected(updateWebhook, 'Webhook').secret ?? ''
    expect(next).toMatch(/^whsec_/)
    expect(next).not.toBe(secret)
    const tried = await app.api.send(WebhookTryDocument, { input: { webhookId } })
    expect(tried.testWebhook).toMatchObject({ delivered: true, status: 200, error: null })
    const message = await gets('the test', ({ content }) => content.type === 'webhook.test')
    expect(isSignedWith(next, message)).toBe(true)
    expect(isSignedWith(secret, message)).toBe(false)
  })

  test('learns why a test was not delivered', async () => {
    const { url, close } = await startReceiver()
    await close()
    const { id: webhookId } = await alerts.webhook('gone', url)

    const { testWebhook } = await app.api.send(WebhookTryDocument, { input: { webhookId } })

    expect(testWebhook).toMatchObject({
      delivered: false,
      status: null,
      error: expect.stringContaining('ECONNREFUSED'),
    })
  })

  test('alone has to do with webhooks', async () => {
    const member = await givenPerson(app)
    const input = { name: 'mine', url: 'https://example.org' }
    const { errors } = await member.api.ask(WebhookCreateDocument, { input })
    expect(errors?.[0]?.extensions?.code).toBe('FORBIDDEN')
  })

  test.each(['ftp://example.org', 'example.org', 'https://user:secret@example.org', ''])(
    'cannot name the address %j',
    async (url) => {
      const { createWebhook } = await app.api.send(WebhookCreateDocument, { input: { name: 'bad', url } })
      expect(createWebhook.__typename).toBe('ValidationError')
    },
  )
})

test('what was not delivered when the server is killed is delivered by the next, as the same message', async () => {
  const failing = await receiver((response, number) => response.writeHead(number === 0 ? 500 : 200).end())
  const server = await startServerProcess()
  try {
    const given = alertsOf(server.api)
    const { id: webhookId, secret } = await given.webhook('survivor', failing.url)
    const script = 'setInterval(() => {}, 1000)'
    const lasting = await seed(server.api).run({ project: await seed(server.api).project({ script }) })
    await given.reportNaN(lasting)
    await until('the first attempt', async () =>
      (await given.deliveries(webhookId)).some(({ attempts }) => attempts === 1),
    )
    await server.kill('SIGKILL')
    expect(failing.received).toHaveLength(1)
    await server.start()

    await until('the next attempt', () => failing.received.length === 2)
    const [first, second] = failing.received
    expect(second).toMatchObject({ id: first?.id, body: first?.body })
    expect(failing.received.every((message) => isSignedWith(secret, message))).toBe(true)
    await until('it to be delivered', async () =>
      (await given.deliveries(webhookId)).some(
        ({ status, attempts }) => status === 'DELIVERED' && attempts === 2,
      ),
    )
  } finally {
    await server.dispose()
  }
})
