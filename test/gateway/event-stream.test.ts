import { describe, expect, test } from 'vitest'
import { createEventStream } from '../../src/gateway/event-stream.ts'

const event = (data: object | string) => `data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`
const token = (content: string) => event({ choices: [{ delta: { content } }] })
const USAGE = event({ choices: [], usage: { prompt_tokens: 3, completion_tokens: 5 } })
const COUNTED = { promptTokens: 3, completionTokens: 5 }

/** What a client gets of a stream that comes in pieces of so many bytes. */
function pass(text: string, size: number, options = { hideUsage: true }) {
  const stream = createEventStream(options)
  const bytes = Buffer.from(text)
  const passed: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) passed.push(stream.take(bytes.subarray(at, at + size)))
  passed.push(stream.end())
  return { text: Buffer.concat(passed).toString(), stream }
}

describe('a stream of events', () => {
  test.each([1, 2, 3, 7, 64, 10_000])('passes as it is in pieces of %i bytes, without the usage', (size) => {
    const before = token('the 火车 leaves ') + token('at "usage": nine 🚂')
    const { text, stream } = pass(`${before}${USAGE}data: [DONE]\n\n`, size)

    expect(text).toBe(`${before}data: [DONE]\n\n`)
    expect(stream.usage()).toEqual(COUNTED)
  })

  test('keeps the usage for a client that has asked', () => {
    const { text, stream } = pass(token('a') + USAGE, 11, { hideUsage: false })

    expect(text).toBe(token('a') + USAGE)
    expect(stream.usage()).toEqual(COUNTED)
  })

  test('keeps an event that tells the usage and more', () => {
    const last = event({ choices: [{ delta: {}, finish_reason: 'stop' }], usage: { prompt_tokens: 3 } })
    const { text, stream } = pass(token('a') + last, 10_000)

    expect(text).toBe(token('a') + last)
    expect(stream.usage()).toEqual({ promptTokens: 3, completionTokens: null })
  })

  test('may end its lines as Windows does, and the last event not at all', () => {
    const text = (token('a') + USAGE + token('b')).replaceAll('\n', '\r\n')
    const unended = `${text}data: [DONE]`

    expect(pass(unended, 5).text).toBe(unended.replace(USAGE.replaceAll('\n', '\r\n'), ''))
  })

  test('passes an event as it comes that is too large to be held, and goes on looking behind it', () => {
    const large = token('x'.repeat(300_000))
    const stream = createEventStream({ hideUsage: true })
    const half = stream.take(Buffer.from(large.slice(0, 200_000)))
    const rest = stream.take(Buffer.from(large.slice(200_000) + USAGE + token('a')))

    expect(half.length).toBeGreaterThan(190_000)
    expect(half.toString() + rest.toString()).toBe(large + token('a'))
    expect(stream.usage()).toEqual(COUNTED)
  })

  test('that breaks has whole events only, and then one that says so', () => {
    const stream = createEventStream({ hideUsage: true })
    const passed = stream.take(Buffer.from(`${token('a')}data: {"choi`)).toString()

    expect(passed + stream.breakNotice({ error: 1 })).toBe(`${token('a')}data: {"error":1}\n\n`)
  })

  test('that breaks in a large event ends that first', () => {
    const stream = createEventStream({ hideUsage: true })
    stream.take(Buffer.from(token('x'.repeat(300_000)).slice(0, 200_000)))

    expect(stream.breakNotice({ error: 1 })).toBe('\n\ndata: {"error":1}\n\n')
  })

  test('tells of an error that the model server has put into it', () => {
    const failure = event({ error: { message: 'out of memory', type: 'x' } })
    const { text, stream } = pass(token('a') + failure, 9)

    expect(text).toBe(token('a') + failure)
    expect(stream.error()).toBe('out of memory')
  })

  test.each(['data: {"usage": \n\n', 'data: {"usage": 1}\n\n', ': "usage"\n\n', '"usage"\n\n', '\n\n\n\n'])(
    'passes what is no event of a model: %j',
    (text) => {
      expect(pass(text, 4).text).toBe(text)
    },
  )
})
