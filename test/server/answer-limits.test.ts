import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sizeOf } from '../../src/server/answer-limits.ts'
import { accessTokenOf } from '../support/access-token.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { connectRawSocket } from '../support/raw-socket.ts'
import { seed } from '../support/seed.ts'
import { until } from '../support/until.ts'

const MiB = 1024 * 1024

let app: TestApp
let token: string
beforeAll(async () => {
  app = await startTestApp({ rateLimitPoints: 0 })
  token = await accessTokenOf(app.url)
  await seed(app.api).dataset('large', {}, `a: ${'x'.repeat(4 * MiB)}\n`)
})
afterAll(() => app.stop())

/** Asks for the text of the config so many times. */
const textTimes = (times: number) =>
  `{ dataset(ref: "large") { trainConfig { ${Array.from({ length: times }, (_, n) => `t${n}: text`).join(' ')} } } }`

async function ask(query: string, on: TestApp = app, bearer = token) {
  const response = await fetch(`${on.url}/graphql`, {
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      Accept: 'application/graphql-response+json',
      Authorization: `Bearer ${bearer}`,
    },
    body: JSON.stringify({ query }),
  })
  return { status: response.status, body: await response.json() }
}

test('an answer of more than 32 MiB is refused, on HTTP and on sockets', async () => {
  const refusal = { errors: [{ extensions: { code: 'ANSWER_TOO_LARGE' } }] }
  const socket = await connectRawSocket(app.url, token)
  socket.send({ type: 'subscribe', id: '1', payload: { query: textTimes(8) } })

  expect(await ask(textTimes(7))).toMatchObject({ status: 200, body: { data: expect.anything() } })
  expect(await ask(textTimes(8))).toMatchObject({ status: 400, body: refusal })
  expect((await socket.next('next')).payload).toMatchObject(refusal)
  socket.close()
})

test('a large answer costs by its size', async () => {
  const limited = await startTestApp({ rateLimitPoints: 10_000 })
  await seed(limited.api).dataset('large', {}, `a: ${'x'.repeat(3 * MiB)}\n`)
  const bearer = await accessTokenOf(limited.url)
  const answers = []
  for (let n = 0; n < 3; n++) answers.push(await ask(textTimes(1), limited, bearer))

  expect(answers[0]?.status).toBe(200)
  expect(answers[2]).toMatchObject({
    status: 429,
    body: { errors: [{ extensions: { code: 'RATE_LIMITED' } }] },
  })
  await limited.stop()
})

test('who does not read gets no more, until their connections are gone', async () => {
  const port = Number(new URL(app.url).port)
  const body = JSON.stringify({ query: textTimes(7) })
  const stuck = await Promise.all(
    [1, 2, 3, 4].map(async () => {
      const socket = connect(port, '127.0.0.1')
      await once(socket, 'connect')
      socket.pause()
      const headers = `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json`
      socket.write(`POST /graphql HTTP/1.1\r\n${headers}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
      return socket
    }),
  )

  await until('the next request to be refused', async () => (await ask('{ viewer { id } }')).status === 429)
  for (const socket of stuck) socket.destroy()
  await until('it to be answered', async () => (await ask('{ viewer { id } }')).status === 200)
})

test.each<[unknown, number, number]>([
  [null, 4, 6],
  ['abc', 5, 5],
  [{ a: ['b', 'c'], d: 1 }, 15, 30],
  ['ü'.repeat(10), 22, 22],
])('the size of %j is found', (value, least, most) => {
  expect(sizeOf(value)).toBeGreaterThanOrEqual(least)
  expect(sizeOf(value)).toBeLessThanOrEqual(most)
})

test('what is too large is not gone through', () => {
  let read = 0
  const item = () => ({
    get text() {
      read++
      return 'x'.repeat(1000)
    },
  })

  expect(sizeOf(Array.from({ length: 1000 }, item), 10_000)).toBeGreaterThan(10_000)
  expect(read).toBeLessThan(20)
})
