import { print } from 'graphql'
import { z } from 'zod'
import { reasonOf } from '../client/errors.ts'
import { AgentServerInfoDocument } from '../generated/operations.ts'
import { AgentError, UnreachableError } from './errors.ts'

/** How long it may take to answer, in ms. */
const ANSWER_MS = 15_000

const Answer = z.object({ data: z.object({ serverInfo: z.object({ version: z.string() }) }) })

/**
 * Looks whether a Trainyard server answers at an address, before it is told a secret.
 *
 * @returns its version
 * @throws UnreachableError when nobody answers, AgentError when somebody else does
 */
export async function lookAtServer(server: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${server}/graphql`, {
    method: 'POST',
    body: JSON.stringify({ query: print(AgentServerInfoDocument) }),
    headers: { 'Content-Type': 'application/json' },
    redirect: 'manual',
    signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_MS)]),
  }).catch((error: unknown) => {
    signal.throwIfAborted()
    throw new UnreachableError(`${server} cannot be reached: ${reasonOf(error)}`, { cause: error })
  })
  const { status } = response
  const location = response.headers.get('location')
  if (location !== null) {
    const target = new URL(location, response.url || server).href.replace(/\/graphql$/, '')
    throw new AgentError(`${server} leads on to ${target}: give that address as --server.`)
  }
  // A proxy says so while the server is down.
  if (status >= 500 || status === 429) throw new UnreachableError(`${server} answered ${status}.`)
  const { success, data } = Answer.safeParse(parsed(await response.text()))
  if (success) return data.data.serverInfo.version
  throw new AgentError(
    `${server} is not a Trainyard server: it answered ${status} to what every one answers.`,
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
