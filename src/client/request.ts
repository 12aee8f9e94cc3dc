import { ConnectionError, reasonOf } from './errors.ts'
import { takeFiles } from './files.ts'

/** An operation as it is sent, with the headers that say how, and the size of the files in it. */
export interface RequestBody {
  body: BodyInit
  type: Record<string, string>
  fileBytes: number
}

/** How long a request may take. */
export interface RequestLimits {
  /** How long the server may take to answer, in ms; without it, as long as it likes. */
  answerMs?: number
  /** Ends the request, which then fails with its reason. */
  signal?: AbortSignal
}

/**
 * Sends a request and reads the answer as JSON.
 *
 * @throws ConnectionError when there is no answer in time, or something else than the API answers, such as a proxy
 */
export async function request<Answer>(
  url: string,
  init: RequestInit,
  { answerMs, signal }: RequestLimits,
): Promise<Answer> {
  const ending = new AbortController()
  const abort = () => ending.abort(signal?.reason)
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort)
  const timer =
    answerMs === undefined
      ? undefined
      : setTimeout(
          () => ending.abort(new ConnectionError(`${url} did not answer within ${answerMs} ms.`)),
          answerMs,
        )
  try {
    const response = await fetch(url, { ...init, signal: ending.signal })
    const text = await response.text()
    try {
      return JSON.parse(text)
    } catch {
      throw new ConnectionError(
        `The server answered ${response.status} with something that is not JSON: ${text.slice(0, 500)}`,
      )
    }
  } catch (error) {
    if (ending.signal.aborted) throw ending.signal.reason
    if (error instanceof ConnectionError) throw error
    throw new ConnectionError(`${url} cannot be reached: ${reasonOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/** An operation as JSON, or with its files as the GraphQL multipart request specification has it. */
export function bodyOf(query: string, variables: unknown): RequestBody {
  const { rest, files } = takeFiles(variables, 'variables')
  const operation = JSON.stringify({ query, variables: rest })
  if (files.size === 0) return { body: operation, type: { 'Content-Type': 'application/json' }, fileBytes: 0 }
  // First the operation, then where each file belongs.
  const form = new FormData()
  form.append('operations', operation)
  form.append('map', JSON.stringify(Object.fromEntries(files.keys().map((path) => [path, [path]]))))
  for (const [path, file] of files) form.append(path, file)
  const fileBytes = files.values().reduce((sum, { size }) => sum + size, 0)
  // A browser could send this form for a page of another site; the server wants to see that this is none.
  return { body: form, type: { 'GraphQL-Require-Preflight': 'true' }, fileBytes }
}
