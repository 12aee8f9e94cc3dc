import { UnavailableError } from '../../../errors.ts'

/** What comes from a source, as long as it comes. @throws UnavailableError when nothing does for so long, in ms */
export async function* refusingSilence<T>(source: AsyncIterable<T>, silenceMs: number): AsyncIterable<T> {
  const iterator = source[Symbol.asyncIterator]()
  try {
    for (;;) {
      const { promise: silence, reject } = Promise.withResolvers<never>()
      const timer = setTimeout(
        () => reject(new UnavailableError(`Nothing came for ${silenceMs} ms.`)),
        silenceMs,
      )
      try {
        const next = await Promise.race([iterator.next(), silence])
        if (next.done) return
        yield next.value
      } finally {
        clearTimeout(timer)
      }
    }
  } finally {
    // Not waited for: it is silent.
    void iterator.return?.().then(undefined, () => undefined)
  }
}
