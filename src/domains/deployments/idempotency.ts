import { createHash } from 'node:crypto'
import { type Database, isUniqueViolation } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'

/** What a request was, so that a repetition is told from another request with the same key. */
export function hashRequest(request: object): string {
  return createHash('sha256').update(JSON.stringify(request)).digest('hex')
}

/**
 * Makes a deployment once for an idempotency key: a repetition gets the one that the first made.
 *
 * @returns its id
 * @throws ConflictError when the key was used with other input
 */
export async function makeOnce(
  { prisma }: Database,
  request: { userId: string; key: string | null | undefined; hash: string },
  make: () => Promise<string>,
): Promise<string> {
  const { userId, key, hash } = request
  const earlier = async () => {
    if (!key) return null
    const found = await prisma.deployment.findUnique({
      where: { createdById_idempotencyKey: { createdById: userId, idempotencyKey: key } },
      select: { id: true, requestHash: true },
    })
    if (found && found.requestHash !== hash) {
      throw new ConflictError(`The idempotency key ${JSON.stringify(key)} was used with other input.`)
    }
    return found?.id ?? null
  }
  const known = await earlier()
  if (known !== null) return known
  try {
    return await make()
  } catch (error) {
    const winner = isUniqueViolation(error) ? await earlier() : null
    if (winner === null) throw error
    return winner
  }
}
