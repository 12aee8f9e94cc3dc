import type { Duplex } from 'node:stream'

/** A parser that was made for a stream, used as a check: what it produces is dropped. */
export interface StreamCheck {
  write(chunk: Uint8Array | string): Promise<void>
  end(): Promise<void>
}

/** Feeds a parser chunk by chunk. `write` and `end` reject with the first error that the parser has. */
export function createStreamCheck(parser: Duplex): StreamCheck {
  const over = Promise.withResolvers<void>()
  over.promise.catch(() => {}) // looked at in `end` only; until then `write` reports errors
  parser.once('error', over.reject)
  parser.once('close', over.resolve)
  parser.resume()

  return {
    write: (chunk) =>
      new Promise((resolve, reject) => {
        parser.write(chunk, (error) => (error ? reject(error) : resolve()))
      }),
    end() {
      parser.end()
      return over.promise
    },
  }
}
