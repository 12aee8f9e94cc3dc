import type { Prisma, Run } from '../../generated/prisma/client.ts'
import { asExpected } from '../../outage.ts'
import { isAdministrator, type Principal, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { requireComputeNode } from '../compute-nodes/find.ts'
import { parseInput } from '../input.ts'
import { requireProject } from '../projects/find.ts'
import { rolesIncluding } from '../projects/roles.ts'
import { visibleRuns } from './access.ts'
import type { createRunCancels } from './cancels.ts'
import type { RunDependencies } from './dependencies.ts'
import { CancelRunsInput, MAX_BATCH, StartRunsInput } from './inputs.ts'
import type { createRunStarts } from './starts.ts'
import { ACTIVE_STATUSES } from './status.ts'

/** What came of each part of a batch, in its order: a run, or why there is none. */
export type BatchResults = PromiseSettledResult<Run>[]

/** Many runs in one request, each judged by itself. */
export function createRunBatches(
  { database: { prisma } }: Pick<RunDependencies, 'database'>,
  one: Pick<ReturnType<typeof createRunStarts> & ReturnType<typeof createRunCancels>, 'start' | 'cancel'>,
) {
  return {
    /** Starts runs, also of several projects. @throws ForbiddenError, ValidationError for the batch as a whole */
    async startMany(principal: Principal, input: unknown): Promise<BatchResults> {
      requireUser(principal, 'RUN')
      const { runs } = parseInput(StartRunsInput, input)
      return eachByItself(runs, (run) => one.start(principal, run))
    },

    /**
     * Cancels the runs that are named; or those of a project, or on a node, or both, that are not over and whose
     * project one may work in, the latest first.
     *
     * @returns with how many more there are, which the next call cancels
     * @throws ForbiddenError, NotFoundError, ValidationError for the batch as a whole
     */
    async cancelMany(
      principal: Principal,
      input: unknown,
    ): Promise<{ results: BatchResults; remaining: number }> {
      const user = requireUser(principal, 'RUN')
      const { runIds, graceSeconds, ...selection } = parseInput(CancelRunsInput, input)
      const selected = runIds ? { ids: runIds, remaining: 0 } : await select(user, selection)
      const results = await eachByItself(selected.ids, (runId) =>
        one.cancel(principal, { runId, graceSeconds }),
      )
      return { results, remaining: selected.remaining }
    },
  }

  async function select(
    user: UserPrincipal,
    {
      project,
      computeNode,
    }: { project?: string | null | undefined; computeNode?: string | null | undefined },
  ): Promise<{ ids: string[]; remaining: number }> {
    const inProject = project != null && (await requireProject(prisma, user, project, 'EDITOR'))
    const onNode = computeNode != null && (await requireComputeNode(prisma, computeNode))
    const where: Prisma.RunWhereInput = {
      AND: [visibleRuns(user), ofEditableProjects(user)],
      status: { in: ACTIVE_STATUSES },
      ...(inProject && { projectId: inProject.id }),
      ...(onNode && { nodeId: onNode.id }),
    }
    const [found, count] = await Promise.all([
      prisma.run.findMany({ where, orderBy: { id: 'desc' }, take: MAX_BATCH, select: { id: true } }),
      prisma.run.count({ where }),
    ])
    return { ids: found.map(({ id }) => id), remaining: count - found.length }
  }
}

/** Does something to each, one after the other; what one comes to is no matter to the others. */
async function eachByItself<Item>(items: Item[], work: (item: Item) => Promise<Run>): Promise<BatchResults> {
  const results: BatchResults = []
  for (const item of items) {
    const [result] = await Promise.allSettled([work(item)])
    results.push(result.status === 'rejected' ? { ...result, reason: asExpected(result.reason) } : result)
  }
  return results
}

/** The runs of the projects that somebody may work in. */
function ofEditableProjects(user: UserPrincipal): Prisma.RunWhereInput {
  if (isAdministrator(user)) return {}
  const role = { in: rolesIncluding('EDITOR') }
  return { project: { members: { some: { userId: user.userId, role } } } }
}
