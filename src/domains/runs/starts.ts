import { rm } from 'node:fs/promises'
import type { z } from 'zod'
import type { Transaction } from '../../db/database.ts'
import { ConflictError, NotFoundError, PreconditionFailedError, ValidationError } from '../../errors.ts'
import type { Artifact, Project, Run } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { type Principal, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { configDatasets, namedDatasets, visibleDatasets } from '../datasets/access.ts'
import { mergeObjects, parseInput, storedObject } from '../input.ts'
import { requireProject } from '../projects/find.ts'
import { datasetNamedAt } from '../projects/versions.ts'
import { requireRun } from './access.ts'
import { quoteForShell } from './command.ts'
import type { RunDependencies, RunQuery } from './dependencies.ts'
import { type NewRunInput, ResumeRunInput, StartRunInput } from './inputs.ts'
import { runTopics } from './lifecycle.ts'
import { isLingering } from './lingering.ts'
import { once } from './once.ts'
import { runPaths } from './paths.ts'
import { requirePriority, requireWishes } from './placement/request.ts'
import { storedWishes, wishColumns } from './placement/wishes.ts'
import { inheritedHyperparameters, prepareRun, type RunPlan } from './prepare.ts'
import { announceRun } from './reporting.ts'
import { isFinal } from './status.ts'

/** The beginnings of runs: started, resumed. */
export function createRunStarts(deps: RunDependencies) {
  const { database, signals, runsDir, now = () => new Date() } = deps
  const { prisma } = database

  return {
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
        const resources = request.resources ?? {}
        const plan: RunPlan = {
          project,
          model: request.model ?? project.baseModel,
          datasetName: request.datasetName ?? project.datasetName,
          hyperparameters: mergeObjects(
            inheritedHyperparameters({ project, resumed: null }),
            request.hyperparameters ?? {},
          ),
          resources,
          wishes: await requireWishes(prisma, { ...request, resources }, null),
          priority: await requirePriority(prisma, user, project.id, request.priority),
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
        const resources = request.resources ?? storedObject(resumed.resources)
        const plan: RunPlan = {
          project,
          model: request.model ?? resumed.model,
          datasetName: request.datasetName ?? resumed.datasetName,
          hyperparameters: mergeObjects(
            inheritedHyperparameters({ project, resumed }),
            request.hyperparameters ?? {},
          ),
          resources,
          wishes: await requireWishes(prisma, { ...request, resources }, storedWishes(resumed)),
          priority: await requirePriority(prisma, user, project.id, request.priority, resumed.priority),
          visible: visibleDatasets(user),
          datasets: request.datasetName
            ? visibleDatasets(user)
            : namedDatasets(user, project, resumed.createdAt),
          configs: configDatasets(user, project),
          resume: { run: resumed, checkpoint: await findCheckpoint(resumed, request.artifactId) },
        }
        // Two that go on from one checkpoint would do the same twice.
        if (await isLingering(prisma, resumed)) {
          const { process } = runPaths(runsDir, resumed.id)
          await deps.executor.terminate(process, { graceSeconds: deps.cancelGraceSeconds })
        }
        return queue(user, plan, request, requestHash)
      })
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
            priority: plan.priority,
            ...wishColumns(plan.wishes),
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
