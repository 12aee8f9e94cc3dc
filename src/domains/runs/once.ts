import { isUniqueViolation } from '../../db/database.ts'
import { ConflictError, type NotFoundError } from '../../errors.ts'
import type { Prisma, PrismaClient, Run } from '../../generated/prisma/client.ts'
import type { UserPrincipal } from '../accounts/principal.ts'
import { makeOnce } from '../idempotency.ts'
import { visibleRuns } from './access.ts'

type RunQuery = { include?: Prisma.RunInclude; select?: Prisma.RunSelect }

/**
 * Does `work` once for an idempotency key: a repetition gets the run that the first made, as long as who asks
 * may see it.
 *
 * @param request what makes two requests the same
 * @param options.missing what is thrown when they may not
 * @throws NotFoundError, ConflictError when the key was used with other input, or the run's name is taken
 */
export async function once(
  prisma: PrismaClient,
  user: UserPrincipal,
  request: object,
  { idempotencyKey: key, missing }: { idempotencyKey?: string | null | undefined; missing: NotFoundError },
  query: RunQuery,
  work: (requestHash: string) => Promise<Run>,
): Promise<Run> {
  const earlier = (idempotencyKey: string) =>
    prisma.run.findUnique({
      where: { createdById_idempotencyKey: { createdById: user.userId, idempotencyKey } },
      select: { id: true, requestHash: true },
    })
  const id = await makeOnce(
    { key, request },
    earlier,
    async (requestHash) => (await work(requestHash)).id,
  ).catch((error: unknown) => {
    if (!isUniqueViolation(error)) throw error
    throw new ConflictError('There is already a run of this name in the project.')
  })
  const run = await prisma.run.findFirst({ ...query, where: { AND: [{ id }, visibleRuns(user)] } })
  if (!run) throw missing
  return run
}
