import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws'
import { WebSocket } from 'ws'
import { percentile } from './statistics.ts'

/** Who the crowd is and what it does. */
export interface CrowdOrder {
  url: string
  clients: number
  /** What each asks for by graphql-transport-ws; only listens without. */
  subscription?: { token: string; payload: object }
  /** Is in the last message that each gets, near its end. */
  lastMark: string
  /** Stands before the epoch ms at which a message was made, near its end; without, no latency is measured. */
  timeMark?: string
}

/** What came to the crowd. */
export interface CrowdReport {
  /** From the first message that anyone got to the last that anyone waited for, in s. */
  seconds: number
  messages: number
  /** Every message that one of them got. */
  frames: string[]
  /** From being made to being received, in ms. */
  latency: { p50: number; p99: number } | null
}

/** How many connect at a time. */
const AT_A_TIME = 50
/** How much of the end of a message is looked at, in bytes. */
const END_BYTES = 400

const [order]: [CrowdOrder] = await nextOrder()
const frames: string[] = []
const latencies: number[] = []
let messages = 0
let waiting = order.clients
let firstAt = 0

for (let joined = 0; joined < order.clients; joined += AT_A_TIME) {
  const group = Math.min(AT_A_TIME, order.clients - joined)
  await Promise.all(Array.from({ length: group }, (_, index) => join(joined + index === 0)))
}
// What was asked for last is on its way to the server; its answer would be the first message.
await sleep(500)
process.send?.('ready')

async function nextOrder(): Promise<[CrowdOrder]> {
  const [message] = await once(process, 'message')
  return [message]
}

async function join(isWitness: boolean): Promise<void> {
  const socket = new WebSocket(order.url, GRAPHQL_TRANSPORT_WS_PROTOCOL)
  await once(socket, 'open')
  if (order.subscription) {
    const { token, payload } = order.subscription
    socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }))
    await once(socket, 'message')
    socket.send(JSON.stringify({ type: 'subscribe', id: randomUUID(), payload }))
  }
  socket.on('message', (data: Buffer) => receive(data, isWitness))
  socket.on('close', (code, reason) => {
    throw new Error(`A socket was closed: ${code} ${reason}`)
  })
}

function receive(data: Buffer, isWitness: boolean) {
  if (firstAt === 0) firstAt = performance.now()
  messages++
  if (isWitness) frames.push(data.toString())
  const end = data.toString('latin1', Math.max(0, data.length - END_BYTES))
  if (order.timeMark) {
    const at = end.indexOf(order.timeMark)
    if (at !== -1) latencies.push(now() - Number.parseFloat(end.slice(at + order.timeMark.length)))
  }
  if (end.includes(order.lastMark) && --waiting === 0) report()
}

function now(): number {
  return performance.timeOrigin + performance.now()
}

function report() {
  const seconds = (performance.now() - firstAt) / 1000
  const latency =
    latencies.length > 0 ? { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) } : null
  process.send?.({ seconds, messages, frames, latency } satisfies CrowdReport)
}
