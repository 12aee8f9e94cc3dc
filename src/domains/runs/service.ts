import { rm } from 'node:fs/promises'
import type { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError, NotFoundError, PreconditionFailedError, ValidationError } from '../../errors.ts'
import type { Executor } from '../../execution/executor.ts'
import type { Artifact, Prisma, Project, Run } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { appendLogLines } from '../../streams/log-lines.ts'
import type { Signals } from '../../streams/signals.ts'
import { type Principal, requireReporter, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { configDatasets, namedDatasets, visibleDatasets } from '../datasets/access.ts'
import { mergeObjects, parseInput, storedObject } from '../input.ts'
import { requireProject } from '../projects/find.ts'
import { datasetNamedAt } from '../projects/versions.ts'
import { requireRun, visibleRuns } from './access.ts'
import { quoteForShell } from './command.ts'
import { removeFolders } from './deleted-runs.ts'
import { matchingRuns, type RunFilter } from './filter.ts'
import { CancelRunInput, type NewRunInput, ResumeRunInput, StartRunInput } from './inputs.ts'
import { runTopics, transition } from './lifecycle.ts'
import { once } from './once.ts'
import { runPaths } from './paths.ts'
import { inheritedHyperparameters, prepareRun, type RunPlan } from './prepare.ts'
import { announceRun } from './reporting.ts'
import { isFinal } from './status.ts'

type RunQuery = { include?: Prisma.RunInclude; select?: Prisma.RunSelect }
type RunListQuery = Pick<Prisma.RunFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What the run service needs. */
export interface RunDependencies {
  database: Database
  signals: Signals
  executor: Executor
  /** The folder of all runs. */
  runsDir: string
  /** How long a cancelled run may take to end by itself unless the request says so, in seconds. */
  cancelGraceSeconds: number
  /** Whether projects may have commands of their own, instead of a launcher. */
  freeCommands: boolean
  now?: () => Date
}

export type RunService = ReturnType<typeof createRunService>

/** Runs as people see them: started, watched, cancelled, resumed. The worker does what is written here. */
export function createRunService(deps: RunDependencies) {
  const { database, signals, executor, runsDir, now = () => new Date() } = deps
  const { prisma } = database

  const selected = (principal: Principal, filter: RunFilter | null | undefined) => ({
    AND: [visibleRuns(principal), matchingRuns(filter)],
  })

  return {
    /** A run by id; null when there is none. The process of a run sees that run only. */
    async find(principal: Principal, id: string, query: RunQuery = {}): Promise<Run | null> {
      requireReporter(principal, id, 'READ')
      return prisma.run.findFirst({ ...query, where: { AND: [{ id }, visibleRuns(principal)] } })
    },

    /** Runs that match, newest first. */
    async list(
      principal: Principal,
      filter: RunFilter | null | undefined,
      query: RunListQuery = {},
    ): Promise<Run[]> {
      requireUser(principal, 'READ')
      return prisma.run.findMany(latestFirst(query, selected(principal, filter)))
    },

    async count(principal: Principal, filter: RunFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.run.count({ where: selected(principal, filter) })
    },

    /**
     * Queues a new run of a project. For its editors.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError, PreconditionFailedError, ConflictError
     */
    async start(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const user = requireUser(principal, 'RUN')
      const request = parseInput(StartRunInput, input)
      const missing = new NotFoundError('project', request.project)
      return once(prisma, user, { start: request }, { ...request, missing }, query, async (requestHash) => {
        const project = await requireLaunchable(user, request.project)
        const plan: RunPlan = {
          project,
          model: request.model ?? project.baseModel,
          datasetName: request.datasetName ?? project.datasetName,
          hyperparameters: mergeObjects(
            inheritedHyperparameters({ project, resumed: null }),
            request.hyperparameters ?? {},
          ),
          resources: request.resources ?? {},
          visible: visibleDatasets(user),
          datasets: request.datasetName
            ? visibleDatasets(user)
            : namedDatasets(user, project, await datasetNamedAt(prisma, project.id)),
          configs: configDatasets(user, project),
          resume: null,
        }
        return queue(user, plan, request, requestHash)
      })
    },

    /**
     * Queues a new run that continues a finished one from one of its checkpoints. For the editors of its project.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError, ConflictError while the run is active,
     *   PreconditionFailedError when it has no checkpoint
     */
    async resume(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      const user = requireUser(principal, 'RUN')
      const request = parseInput(ResumeRunInput, input)
      const missing = new NotFoundError('run', request.runId)
      return once(prisma, user, { resume: request }, { ...request, missing }, query, async (requestHash) => {
        const resumed = await requireRun(prisma, user, request.runId, 'EDITOR')
        if (!isFinal(resumed.status)) {
          throw new ConflictError(
            `Run ${resumed.name} is ${resumed.status}: it can be resumed when it is over.`,
          )
        }
        const project = await requireLaunchable(user, resumed.projectId)
        const plan: RunPlan = {
          project,
          model: request.model ?? resumed.model,
          datasetName: request.datasetName ?? resumed.datasetName,
          hyperparameters: mergeObjects(
            inheritedHyperparameters({ project, resumed }),
            request.hyperparameters ?? {},
          ),
          resources: request.resources ?? storedObject(resumed.resources),
          visible: visibleDatasets(user),
          datasets: request.datasetName
            ? visibleDatasets(user)
            : namedDatasets(user, project, resumed.createdAt),
          configs: configDatasets(user, project),
          resume: { run: resumed, checkpoint: await findCheckpoint(resumed, request.artifactId) },
        }
        return queue(user, plan, request, requestHash)
      })
    },

    /**
     * Ends a run: at once when it is still queued, else by asking its processes to end and killing them
     * after the grace. Asking again with a shorter grace shortens it. For the editors of its project.
     *
     * @throws NotFoundError, ForbiddenError, ConflictError when the run is over
     */
    async cancel(principal: Principal, input: unknown, query: RunQuery = {}): Promise<Run> {
      requireUser(principal, 'RUN')
      const request = parseInput(CancelRunInput, input)
      const graceSeconds = request.graceSeconds ?? deps.cancelGraceSeconds
      const run = await database.transaction(async (tx) => {
        const found = await requireRun(tx, principal, request.runId, 'EDITOR')
        if (isFinal(found.status)) {
          throw new ConflictError(`Run ${found.name} is over (${found.status}): there is nothing to cancel.`)
        }
        if (found.status === 'QUEUED') {
          await transition(tx, found.id, 'CANCELLED', now(), {
            statusReason: 'Cancelled before it was started.',
            finishedAt: now(),
          })
        } else if (await transition(tx, found.id, 'CANCELLING', now(), { graceSeconds })) {
          await appendLogLines(database, tx, found.logStreamId, [
            {
              timestamp: now(),
              level: 'WARNING',
              source: 'SYSTEM',
              message: `Cancel requested: the processes have ${graceSeconds} s to end.`,
            },
          ])
        } else if (found.graceSeconds === null || graceSeconds < found.graceSeconds) {
          await tx.run.update({ where: { id: found.id }, data: { graceSeconds } })
        }
        await recordEvent(tx, principal, {
          action: 'RUN_CANCELLED',
          target: { kind: 'Run', id: found.id, name: found.name },
          details: { projectId: found.projectId, graceSeconds },
        })
        return found
      })
      // A server that dies here asks again when it is back: the status says CANCELLING.
      if (run.status !== 'QUEUED') {
        await executor.terminate(runPaths(runsDir, run.id).process, { graceSeconds })
      }
      announceRun(signals, run)
      signals.notify(runTopics.stream(run.logStreamId))
      signals.notify(runTopics.stream(run.metricStreamId))
      return prisma.run.findUniqueOrThrow({ ...query, where: { id: run.id } })
    },

    /**
     * Removes what the runs of a deleted project left on disk, and tells who watches them. Their rows, and
     * that of the project, must be gone.
     */
    async discard(projectId: string, runIds: string[]): Promise<void> {
      await removeFolders({ database, executor, runsDir }, runIds)
      for (const id of runIds) signals.notify(runTopics.changed(id))
      signals.notify(runTopics.inProject(projectId))
      signals.notify(runTopics.any)
    },
  }

  /**
   * A project that somebody may start runs of, with its launcher.
   *
   * @throws NotFoundError, ForbiddenError, PreconditionFailedError when it has none where one is needed
   */
  async function requireLaunchable(user: UserPrincipal, ref: string): Promise<RunPlan['project']> {
    const project = await requireProject(prisma, user, ref, 'EDITOR')
    const { launcherId } = project
    const launcher = launcherId && (await prisma.launcher.findUnique({ where: { id: launcherId } }))
    if (!launcher && !deps.freeCommands) {
      throw new PreconditionFailedError(
        `Project ${project.name} has no launcher, and this server runs only commands of launchers: choose one.`,
        ['launcher'],
      )
    }
    return { ...project, launcher: launcher || null }
  }

  /** Makes the folder and the row of a run, and tells the queue. */
  async function queue(
    user: UserPrincipal,
    plan: RunPlan,
    request: z.output<typeof NewRunInput>,
    requestHash: string,
  ): Promise<Run> {
    if (plan.project.status === 'ARCHIVED') {
      throw new ConflictError(`Project ${plan.project.name} is archived: it takes no new runs.`)
    }
    const id = newId('Run')
    const prepared = await prepareRun({ database, runsDir }, id, plan)
    try {
      const run = await database.transaction(async (tx) => {
        // It may have been deleted, or the right taken away, while the folder was made.
        await requireProject(tx, user, plan.project.id, 'EDITOR')
        await requireSameDataset(tx, plan)
        const created = await tx.run.create({
          data: {
            id,
            name: request.name ?? (await nextName(tx, plan.project)),
            status: 'QUEUED',
            model: plan.model,
            datasetName: plan.datasetName,
            hyperparameters: plan.hyperparameters,
            resources: plan.resources,
            argv: prepared.argv,
            startCommand: quoteForShell(prepared.argv),
            idempotencyKey: request.idempotencyKey ?? null,
            requestHash,
            createdAt: now(),
            updatedAt: now(),
            project: { connect: { id: plan.project.id } },
            createdBy: { connect: { id: user.userId } },
            ...(plan.project.launcher && { launcher: { connect: { id: plan.project.launcher.id } } }),
            ...(plan.resume && { resumedFrom: { connect: { id: plan.resume.checkpoint.id } } }),
            logStream: { create: {} },
            metricStream: { create: {} },
            output: { create: { parserState: {} } },
          },
        })
        await recordEvent(tx, user, {
          action: plan.resume ? 'RUN_RESUMED' : 'RUN_STARTED',
          target: { kind: 'Run', id, name: created.name },
          details: {
            projectId: plan.project.id,
            project: plan.project.name,
            launcher: plan.project.launcher?.name ?? null,
            ...(plan.resume && { resumed: plan.resume.run.id }),
          },
        })
        return created
      })
      announceRun(signals, run)
      signals.notify(runTopics.queue)
      return run
    } catch (error) {
      await rm(prepared.paths.root, { recursive: true, force: true })
      throw error
    }
  }

  /** From here on the dataset stays, because a run that is not over uses it. @throws PreconditionFailedError */
  async function requireSameDataset(tx: Transaction, { datasetName, datasets }: RunPlan): Promise<void> {
    if (datasetName === null) return
    if ((await tx.dataset.count({ where: { AND: [{ name: datasetName }, datasets] } })) > 0) return
    throw new PreconditionFailedError('The dataset was deleted just now.', [`dataset ${datasetName}`])
  }

  async function findCheckpoint(run: Run, artifactId: string | null | undefined): Promise<Artifact> {
    const isCheckpoint = { runId: run.id, type: 'CHECKPOINT' }
    // A run that ended before it saved anything still has the checkpoint that it was resumed from.
    const origin = { id: run.resumedFromId ?? '' }
    if (artifactId) {
      const named = await prisma.artifact.findFirst({
        where: { OR: [isCheckpoint, origin], id: artifactId },
      })
      if (named) return named
      throw ValidationError.at('artifactId', `Run ${run.name} has no such checkpoint.`)
    }
    const newest = await prisma.artifact.findFirst({
      where: isCheckpoint,
      orderBy: [{ createdAt: 'desc' }, { step: { sort: 'desc', nulls: 'last' } }],
    })
    const usable = newest ?? (await prisma.artifact.findUnique({ where: origin }))
    if (usable) return usable
    throw new PreconditionFailedError(`Run ${run.name} has saved no checkpoint to resume from.`, [
      'checkpoint',
    ])
  }

  async function nextName(tx: Transaction, project: Project): Promise<string> {
    for (;;) {
      const { lastRunNumber } = await tx.project.update({
        where: { id: project.id },
        data: { lastRunNumber: { increment: 1 } },
        select: { lastRunNumber: true },
      })
      const name = `run-${String(lastRunNumber).padStart(3, '0')}`
      if ((await tx.run.count({ where: { projectId: project.id, name } })) === 0) return name
    }
  }
}
