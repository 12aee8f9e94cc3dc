import { get } from 'node:http'

/** How long a model server may take to answer, in ms. */
const TIMEOUT_MS = 5000

/**
 * Asks a model server whether it can be used, over a connection of its own, so that none is left for it to wait for
 * when it ends.
 *
 * @returns what is wrong, for people; null when it answers with a success
 */
export async function findHealthProblem(url: string, signal: AbortSignal): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>()
  const { pathname } = new URL(url)
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  const request = get(url, { agent: false, signal: AbortSignal.any([timeout, signal]) })
  request.once('response', (response) => {
    response.resume()
    response.once('error', () => undefined)
    const { statusCode = 0 } = response
    resolve(statusCode >= 200 && statusCode < 300 ? null : `${pathname} answered ${statusCode}`)
  })
  request.once('error', (error: NodeJS.ErrnoException) => {
    if (timeout.aborted) resolve(`${pathname} did not answer within ${TIMEOUT_MS / 1000} s`)
    else resolve(error.code === 'ECONNREFUSED' ? 'nothing listens on its port' : error.message)
  })
  return promise
}
