import { createHash } from 'node:crypto'
import { isUniqueViolation } from '../db/database.ts'
import { ConflictError } from '../errors.ts'

/** What was made with an idempotency key, and of which request. */
export interface MadeEarlier {
  id: string
  requestHash: string | null
}

/**
 * Makes something once for an idempotency key: a repetition gets what the first made.
 *
 * @param request what makes two requests the same
 * @param earlier what somebody has made with a key
 * @param make is given the hash of the request, to store it with the key
 * @returns the id of what was made
 * @throws ConflictError when the key was used with other input, and what `make` throws
 */
export async function makeOnce(
  { key, request }: { key: string | null | undefined; request: object },
  earlier: (key: string) => Promise<MadeEarlier | null>,
  make: (requestHash: string) => Promise<string>,
): Promise<string> {
  const requestHash = createHash('sha256').update(JSON.stringify(request)).digest('hex')
  const known = async () => {
    const found = key ? await earlier(key) : null
    if (found && found.requestHash !== requestHash) {
      throw new ConflictError(`The idempotency key ${JSON.stringify(key)} was used with other input.`)
    }
    return found?.id ?? null
  }
  const first = await known()
  if (first !== null) return first
  try {
    return await make(requestHash)
  } catch (error) {
    const winner = isUniqueViolation(error) ? await known() : null
    if (winner === null) throw error
    return winner
  }
}
