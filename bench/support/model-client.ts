import { Pool } from 'undici'

/** How one stream went. */
export interface StreamTimes {
  /** From the request to the first byte of the body, in ms. */
  firstByteMs: number
  tokensPerSecond: number
}

/** A client that does as little as possible, so that what it talks to is what is measured. */
export interface ModelClient extends Disposable {
  /** Asks for so many tokens in a stream. */
  stream(model: string, tokens: number): Promise<StreamTimes>
  /** Asks for a short answer, and reads it. */
  ask(model: string): Promise<void>
}

/**
 * @param url of a model server or a gateway
 * @param token what it is asked with
 */
export function createModelClient(url: string, token: string): ModelClient {
  const pool = new Pool(url)
  const headers = ['Content-Type', 'application/json', 'Authorization', `Bearer ${token}`]
  const messages = [{ role: 'user', content: 'When does the train leave?' }]

  /** (By the lowest interface of the library, which costs the machine the least.) */
  function chat(body: object, take: (chunk: Buffer) => void): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    pool.dispatch(
      {
        path: '/v1/chat/completions',
        method: 'POST',
        headers,
        body: JSON.stringify({ messages, ...body }),
      },
      {
        onRequestStart: () => undefined,
        onResponseStart(_, status) {
          if (status !== 200) throw new Error(`${url} answers ${status}.`)
        },
        onResponseData: (_, chunk) => take(chunk),
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error),
      },
    )
    return promise
  }

  return {
    async stream(model, tokens) {
      const startedAt = performance.now()
      let firstByteAt = 0
      let text = ''
      await chat({ model, stream: true, max_tokens: tokens }, (chunk) => {
        if (firstByteAt === 0) firstByteAt = performance.now()
        text += chunk
      })
      const seconds = (performance.now() - startedAt) / 1000
      const received = text.split('"content":').length - 2 // the first one opens the message
      if (received !== tokens || !text.endsWith('data: [DONE]\n\n')) {
        throw new Error(`Of ${tokens} tokens, ${received} came.`)
      }
      return { firstByteMs: firstByteAt - startedAt, tokensPerSecond: received / seconds }
    },
    ask: (model) => chat({ model }, () => undefined),
    [Symbol.dispose]: () => void pool.destroy(),
  }
}
