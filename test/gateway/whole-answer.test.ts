import { expect, test } from 'vitest'
import { createWholeAnswer } from '../../src/gateway/whole-answer.ts'

const USAGE = '"usage": {"prompt_tokens": 7, "completion_tokens_details": {}, "completion_tokens": 2}'
const COUNTED = { promptTokens: 7, completionTokens: 2 }
const LONG = `"data": "${'x'.repeat(100_000)}"`

function usageOf(text: string, size: number) {
  const answer = createWholeAnswer()
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) answer.take(bytes.subarray(at, at + size))
  return answer.usage()
}

test.each([
  ['alone', `{${USAGE}}`],
  ['after a long text', `{${LONG}, ${USAGE}}`],
  ['before a long text, as llama.cpp writes it', `{${USAGE}, ${LONG}}`],
  [
    'beside a text that looks like it',
    `{"text": ${JSON.stringify('{"usage": {"prompt_tokens": 1}}')}, ${USAGE}}`,
  ],
])('the usage of an answer is found %s', (_where, text) => {
  expect([100, 4096, 1_000_000].map((size) => usageOf(text, size))).toEqual([COUNTED, COUNTED, COUNTED])
})

test('an answer without usage has none', () => {
  expect(usageOf('{"text": "usage", "usage": null}', 100)).toEqual({
    promptTokens: null,
    completionTokens: null,
  })
})
