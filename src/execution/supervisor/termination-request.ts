import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createFile, readFileIfAny } from './atomic-file.ts'

/** All requests to terminate one execution, taken together. */
export interface TerminationRequest {
  /** When the first was made, in milliseconds since 1970. */
  requestedAt: number
  /** When what is left is killed: the earliest of all deadlines. */
  deadline: number
  /** The grace of the request with that deadline, in milliseconds. */
  grace: number
}

/**
 * Stores a request, unless an earlier deadline is stored already. Each request is a file of its own,
 * termination-DEADLINE.json, so that several servers can ask at the same time without a lock and
 * no later deadline can replace an earlier one.
 */
export async function requestTermination(directory: string, graceSeconds: number): Promise<void> {
  const requestedAt = Date.now()
  const grace = Math.max(0, Math.round(graceSeconds * 1000))
  const deadline = requestedAt + grace
  const stored = await readTerminationRequest(directory)
  if (stored && stored.deadline <= deadline) return
  const request: TerminationRequest = { requestedAt, deadline, grace }
  await createFile(join(directory, `termination-${deadline}.json`), `${JSON.stringify(request)}\n`)
}

/** The stored requests as one; null when there is none. */
export async function readTerminationRequest(directory: string): Promise<TerminationRequest | null> {
  const names = (await readdir(directory)).filter((name) => /^termination-\d+\.json$/.test(name))
  const texts = await Promise.all(names.map((name) => readFileIfAny(join(directory, name))))
  const requests = texts.flatMap((text): TerminationRequest[] => (text === null ? [] : [JSON.parse(text)]))
  return requests.length === 0 ? null : requests.reduce(combine)
}

/** Two requests as one: asked for since the first, to be over by the earlier deadline. */
export function combine(one: TerminationRequest, other: TerminationRequest): TerminationRequest {
  const stricter = one.deadline <= other.deadline ? one : other
  return { ...stricter, requestedAt: Math.min(one.requestedAt, other.requestedAt) }
}

/** Milliseconds until the deadline; never more than the grace, even if the clock was set back. */
export function remainingGrace({ deadline, grace }: TerminationRequest): number {
  return Math.min(deadline - Date.now(), grace)
}

/** What to report about a request: only one made before the end can have caused the end. */
export function terminationBefore(
  endedAt: number,
  request: TerminationRequest | null,
): { requestedAt: number } | null {
  return request && request.requestedAt <= endedAt ? { requestedAt: request.requestedAt } : null
}
