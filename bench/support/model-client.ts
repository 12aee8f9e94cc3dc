import { once } from 'node:events'
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'
import { TOKENS } from '../../test/gateway/support/gateway.ts'

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

/** @param url of a model server or a gateway */
export function createModelClient(url: string): ModelClient {
  const agent = new Agent({ keepAlive: true })

  async function chat(body: object): Promise<IncomingMessage> {
    const sent = request(`${url}/v1/chat/completions`, {
      agent,
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${TOKENS.RUN}` },
    })
    sent.end(JSON.stringify({ messages: [{ role: 'user', content: 'When does the train leave?' }], ...body }))
    const answer = await answerTo(sent)
    if (answer.statusCode !== 200) throw new Error(`${url} answers ${answer.statusCode}.`)
    return answer
  }

  return {
    async stream(model, tokens) {
      const startedAt = performance.now()
      let firstByteAt = 0
      let text = ''
      for await (const chunk of await chat({ model, stream: true, max_tokens: tokens })) {
        if (firstByteAt === 0) firstByteAt = performance.now()
        text += chunk
      }
      const seconds = (performance.now() - startedAt) / 1000
      const received = text.split('"content":').length - 2 // the first one opens the message
      if (received !== tokens || !text.endsWith('data: [DONE]\n\n')) {
        throw new Error(`Of ${tokens} tokens, ${received} came.`)
      }
      return { firstByteMs: firstByteAt - startedAt, tokensPerSecond: received / seconds }
    },
    async ask(model) {
      const answer = await chat({ model })
      answer.resume()
      await once(answer, 'end')
    },
    [Symbol.dispose]: () => agent.destroy(),
  }
}

async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  sent.once('response', resolve)
  sent.once('error', reject)
  return promise
}
