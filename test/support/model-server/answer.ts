import { promptOf, type RequestBody } from './request.ts'

const DIMENSIONS = 8

/** What a model that repeats what it was told would generate. */
export interface Generation {
  tokens: Iterable<string>
  count: number
  promptTokens: number
  finishReason: 'stop' | 'length'
}

/**
 * Repeats the prompt, a word a token: once, or as often as makes `max_tokens`.
 */
export function generate(body: RequestBody): Generation {
  const words = promptOf(body).match(/\s*\S+/g) ?? ['nothing']
  const limit = body.max_completion_tokens ?? body.max_tokens ?? words.length
  const bytes = body.metadata.token_bytes
  return {
    tokens: repeat(bytes === undefined ? words : words.map((word) => word.padEnd(bytes, '.')), limit),
    count: limit,
    promptTokens: words.length,
    finishReason: limit === words.length ? 'stop' : 'length',
  }
}

function* repeat(words: string[], limit: number): Generator<string> {
  for (let n = 0; n < limit; n++) yield words[n % words.length] ?? ''
}

/** What every part of an answer says. */
export interface AnswerHead {
  id: string
  created: number
  model: string
}

let answers = 0

/** The head of a new answer. @param model what the model is called */
export function newHead(model: string): AnswerHead {
  return { id: `answer-${++answers}`, created: Math.floor(Date.now() / 1000), model }
}

/** The two shapes in which OpenAI's API generates text. */
export interface Shape {
  /** The whole answer, of one piece. */
  whole(head: AnswerHead, text: string, generation: Generation): object
  /** What a stream begins with, if anything, before the first token. */
  opening(head: AnswerHead): object | null
  token(head: AnswerHead, token: string): object
  closing(head: AnswerHead, finishReason: string): object
  /** What a stream says at its end when it was asked for the usage. */
  usage(head: AnswerHead, generation: Generation): object
}

export const chat: Shape = {
  whole: (head, content, generation) => ({
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content },
        logprobs: null,
        finish_reason: generation.finishReason,
      },
    ],
    usage: usageOf(generation),
  }),
  opening: (head) => chatChunk(head, { role: 'assistant', content: '' }),
  token: (head, content) => chatChunk(head, { content }),
  closing: (head, finishReason) => chatChunk(head, {}, finishReason),
  usage: (head, generation) => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [],
    usage: usageOf(generation),
  }),
}

export const completion: Shape = {
  whole: (head, text, generation) => ({
    ...textChunk(head, text, generation.finishReason),
    usage: usageOf(generation),
  }),
  opening: () => null,
  token: (head, token) => textChunk(head, token, null),
  closing: (head, finishReason) => textChunk(head, '', finishReason),
  usage: (head, generation) => ({
    ...head,
    object: 'text_completion',
    choices: [],
    usage: usageOf(generation),
  }),
}

/** A vector for each text: how often each of a few letters is in it. */
export function embed(body: RequestBody, model: string): object {
  const texts = typeof body.input === 'string' ? [body.input] : (body.input ?? [])
  const promptTokens = texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0)
  return {
    object: 'list',
    data: texts.map((text, index) => ({
      object: 'embedding',
      index,
      embedding: body.encoding_format === 'base64' ? base64Of(vectorOf(text)) : vectorOf(text),
    })),
    model,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
  }
}

function vectorOf(text: string): number[] {
  const letters = Array.from({ length: DIMENSIONS }, (_, index) => String.fromCharCode(97 + index))
  return letters.map((letter) => text.split(letter).length - 1)
}

function base64Of(vector: number[]): string {
  return Buffer.from(Float32Array.from(vector).buffer).toString('base64')
}

function chatChunk(head: AnswerHead, delta: object, finishReason: string | null = null): object {
  return {
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
  }
}

function textChunk(head: AnswerHead, text: string, finishReason: string | null): object {
  return {
    ...head,
    object: 'text_completion',
    choices: [{ index: 0, text, logprobs: null, finish_reason: finishReason }],
  }
}

function usageOf({ promptTokens, count }: Generation): object {
  return { prompt_tokens: promptTokens, completion_tokens: count, total_tokens: promptTokens + count }
}
