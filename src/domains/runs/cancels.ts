import type { Transaction } from '../../db/database.ts'
import { ConflictError } from '../../errors.ts'
import type { Run } from '../../generated/prisma/client.ts'
import { appendLogLines } from '../../streams/log-lines.ts'
import { type Principal, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { requireRun } from './access.ts'
import type { RunDependencies, RunQuery } from './dependencies.ts'
import { CancelRunInput } from './inputs.ts'
import { runTopics, transition } from './lifecycle.ts'
import { isLingering } from './lingering.ts'
import { runPaths } from './paths.ts'
import { announceRun } from './reporting.ts'
import { isFinal } from './status.ts'

/** A run that was asked to end, and how long its processes may take for it, in seconds. */
export interface RequestedEnd {
  run: Run
  graceSeconds: number
}

/** The ends of runs that somebody asks for. */
export function createRunCancels(deps: RunDependencies) {
  const { database, signals, executor, runsDir, now = () => new Date() } = deps

  return {
    /**
     * Ends a run: at once when it is still queued, else by asking its processes to end and killing them
     * after the grace. Asking again with a shorter grace shortens it. For the editors of its project.
     *
     * @throws NotFoundError, ForbiddenError, ConflictError when the run is over
     */
    async cancel(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const user = requireUser(principal, 'RUN')
      const { runId, graceSeconds } = parseInput(CancelRunInput, input)
      const end = await database.transaction(async (tx) => {
        const found = await requireRun(tx, principal, runId, 'EDITOR')
        return requestEnd(tx, user, found, graceSeconds ?? deps.cancelGraceSeconds)
      })
      await passOnEnd(end)
      return database.prisma.run.findUniqueOrThrow({ ...query, where: { id: runId } })
    },
    requestEnd,
    passOnEnd,
  }

  /**
   * Writes down that a run is to end, which `passOnEnd` then tells its processes; also one that was given up and may
   * still go on. @throws ConflictError when it is over
   */
  async function requestEnd(
    tx: Transaction,
    user: UserPrincipal,
    run: Run,
    graceSeconds: number,
  ): Promise<RequestedEnd> {
    if (isFinal(run.status) && !(await isLingering(tx, run))) {
      throw new ConflictError(`Run ${run.name} is over (${run.status}): there is nothing to cancel.`)
    }
    if (run.status === 'QUEUED') {
      await transition(tx, run.id, 'CANCELLED', now(), {
        statusReason: 'Cancelled before it was started.',
        finishedAt: now(),
      })
    } else if (await transition(tx, run.id, 'CANCELLING', now(), { graceSeconds })) {
      await appendLogLines(database, tx, run.logStreamId, [
        {
          timestamp: now(),
          level: 'WARNING',
          source: 'SYSTEM',
          message: `Cancel requested: the processes have ${graceSeconds} s to end.`,
        },
      ])
    } else if (run.graceSeconds === null || graceSeconds < run.graceSeconds) {
      await tx.run.update({ where: { id: run.id }, data: { graceSeconds } })
    }
    await recordEvent(tx, user, {
      action: 'RUN_CANCELLED',
      target: { kind: 'Run', id: run.id, name: run.name },
      details: { projectId: run.projectId, graceSeconds },
    })
    return { run, graceSeconds }
  }

  /** Asks the processes of a run to end. A server that dies before asks when it is back: the status says CANCELLING. */
  async function passOnEnd({ run, graceSeconds }: RequestedEnd): Promise<void> {
    if (run.status !== 'QUEUED') {
      await executor.terminate(runPaths(runsDir, run.id).process, { graceSeconds })
    }
    announceRun(signals, run)
    signals.notify(runTopics.stream(run.logStreamId))
    signals.notify(runTopics.stream(run.metricStreamId))
  }
}
