import type { Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.ts'
import type { Deployment, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { makeOnce } from '../idempotency.ts'
import { parseInput } from '../input.ts'
import { requireRole } from '../projects/access.ts'
import { requireProject } from '../projects/find.ts'
import { quoteForShell } from '../runs/command.ts'
import { requireChangeable, visibleDeployments } from './access.ts'
import { DEFAULT_ENGINE } from './built-in-engines.ts'
import { createDeploymentChanges } from './changes.ts'
import type { DeploymentDependencies, DeploymentQuery } from './dependencies.ts'
import { createDeploymentEndings } from './endings.ts'
import { checkExtraArguments } from './extra-arguments.ts'
import { type DeploymentFilter, matchingDeployments } from './filter.ts'
import { CreateDeploymentInput, DeploymentInput } from './inputs.ts'
import { targetOf, transition } from './lifecycle.ts'
import { addServer, setToWork } from './model-servers.ts'
import { findModel } from './models.ts'
import { mayBeElsewhere, requirePlacement } from './placement.ts'
import { type ServerSettings, settingsOf } from './settings.ts'

type DeploymentListQuery = Pick<
  Prisma.DeploymentFindManyArgs,
  'include' | 'select' | 'cursor' | 'take' | 'skip'
>

export type DeploymentService = ReturnType<typeof createDeploymentService>

/** Deployments as people see them: made, changed, stopped, deleted. The worker does what is written here. */
export function createDeploymentService(deps: DeploymentDependencies) {
  const { database, signals, engines, places, now = () => new Date() } = deps
  const { prisma } = database

  return {
    ...createDeploymentChanges(deps),
    ...createDeploymentEndings(deps),

    /** A deployment by id; null when there is none. */
    async find(principal: Principal, id: string, query: DeploymentQuery = {}): Promise<Deployment | null> {
      requireUser(principal, 'READ')
      return prisma.deployment.findFirst({
        ...query,
        where: { AND: [{ id }, visibleDeployments(principal)] },
      })
    },

    /** Deployments that match, newest first. */
    async list(
      principal: Principal,
      filter: DeploymentFilter | null | undefined,
      query: DeploymentListQuery = {},
    ): Promise<Deployment[]> {
      requireUser(principal, 'READ')
      return prisma.deployment.findMany(latestFirst(query, listed(principal, filter)))
    },

    async count(principal: Principal, filter: DeploymentFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.deployment.count({ where: listed(principal, filter) })
    },

    /**
     * Deploys a model: reserves a port and GPUs and lets a model server be started.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError, ConflictError, UnavailableError when the engine is not
     *   installed, no port or GPU is free, or the compute node takes no work
     */
    async create(principal: Principal, input: unknown, query: DeploymentQuery = {}): Promise<Deployment> {
      const { userId } = requireUser(principal, 'RUN')
      const request = parseInput(CreateDeploymentInput, input)
      const { idempotencyKey: key } = request
      const earlier = (idempotencyKey: string) =>
        prisma.deployment.findUnique({
          where: { createdById_idempotencyKey: { createdById: userId, idempotencyKey } },
          select: { id: true, requestHash: true },
        })
      const id = await makeOnce({ key, request }, earlier, async (requestHash) => {
        const placement = await requirePlacement(prisma, request.placement)
        const model = await findModel(deps, principal, request, mayBeElsewhere(placement))
        const projectId = await projectOf(principal, request.project, model.projectId)
        const engineName = request.engine ?? DEFAULT_ENGINE
        const engine = await engines.use(engineName)
        const settings: ServerSettings = {
          name: request.name ?? model.name,
          modelPath: model.modelPath,
          artifactId: model.artifactId,
          modelVersion: request.modelVersion ?? model.version,
          engine: engineName,
          extraArgs: request.extraArgs ?? [],
          gpuCount: request.gpuCount ?? null,
          preferredGpu: request.preferredGpu ?? null,
          healthPath: request.healthPath ?? engine.healthPath,
          ...placement,
        }
        checkExtraArguments(settings.extraArgs, deps)
        const made = await places.reserve(settings, engine, async (tx, place) => {
          const { artifactId, wantedNodeId, ...columns } = settings
          const deployment = await tx.deployment.create({
            data: {
              ...columns,
              id: newId('Deployment'),
              artifact: connect(artifactId),
              wantedNode: connect(wantedNodeId),
              project: connect(projectId),
              createdBy: { connect: { id: userId } },
              logStream: { create: {} },
              environment: request.environment ?? null,
              idleUnloadSeconds: request.idleUnloadSeconds ?? null,
              tags: { create: (request.tags ?? []).map((value, position) => ({ value, position })) },
              status: 'PENDING',
              command: quoteForShell(place.argv),
              idempotencyKey: key ?? null,
              requestHash,
              createdAt: now(),
              updatedAt: now(),
            },
          })
          const server = await addServer(tx, deployment, settings, place, now())
          const details = { model: settings.modelPath, engine: engineName }
          await recordEvent(tx, principal, {
            action: 'DEPLOYMENT_CREATED',
            target: targetOf(deployment),
            details,
          })
          return { deployment, server }
        })
        setToWork(signals, made.deployment, made.server)
        return made.deployment.id
      })
      // A repetition may come from somebody who sees the project no more that the first request deployed it in.
      const deployment = await prisma.deployment.findFirst({
        ...query,
        where: { AND: [{ id }, visibleDeployments(principal)] },
      })
      if (!deployment) throw new NotFoundError('deployment', id)
      return deployment
    },

    /**
     * Starts a deployment again that has stopped or failed, with the settings that it has.
     *
     * @throws NotFoundError, ForbiddenError, ConflictError, UnavailableError
     */
    async start(principal: Principal, input: unknown, query: DeploymentQuery = {}): Promise<Deployment> {
      requireUser(principal, 'RUN')
      const { deploymentId } = parseInput(DeploymentInput, input)
      const deployment = await requireChangeable(prisma, principal, deploymentId)
      await startAgain(deployment, async (tx) => {
        await recordEvent(tx, principal, { action: 'DEPLOYMENT_STARTED', target: targetOf(deployment) })
      })
      return prisma.deployment.findUniqueOrThrow({ ...query, where: { id: deploymentId } })
    },

    /** Starts a deployment that was unloaded because nobody used it. @throws ConflictError, UnavailableError */
    load: (deployment: Deployment): Promise<void> => startAgain(deployment, async () => undefined),
  }

  /** The project that a new deployment is in, which its maker must be an editor of; null for none. */
  async function projectOf(
    principal: Principal,
    given: string | null | undefined,
    ofArtifact: string | null,
  ): Promise<string | null> {
    const named = given ? await requireProject(prisma, principal, given, 'EDITOR') : null
    if (ofArtifact === null) return named?.id ?? null
    if (named && named.id !== ofArtifact) {
      throw ValidationError.at('project', 'An artifact is deployed in the project that it is of.')
    }
    await requireRole(prisma, principal, ofArtifact, 'EDITOR')
    return ofArtifact
  }

  /** Starts a deployment that has stopped, or failed. @param also is done in the same transaction */
  async function startAgain(deployment: Deployment, also: (tx: Transaction) => Promise<void>): Promise<void> {
    const settings = settingsOf(deployment)
    const engine = await engines.use(settings.engine)
    checkExtraArguments(settings.extraArgs, deps)
    const server = await places.reserve(settings, engine, async (tx, place) => {
      const isDone = await transition(tx, deployment.id, 'PENDING', now(), {
        statusReason: null,
        unloaded: false,
        stoppedAt: null,
        startedAt: null,
        restarts: 0,
        command: quoteForShell(place.argv),
        revision: { increment: 1 },
      })
      const current = await tx.deployment.findUnique({ where: { id: deployment.id } })
      if (!current || current.removing) throw new NotFoundError('deployment', deployment.id)
      if (!isDone) {
        throw new ConflictError(`Deployment ${current.name} is ${current.status}: it is stopped first.`)
      }
      await also(tx)
      return addServer(tx, current, settings, place, now())
    })
    setToWork(signals, deployment, server)
  }
}

function listed(principal: Principal, filter: DeploymentFilter | null | undefined) {
  return { AND: [visibleDeployments(principal), matchingDeployments(filter)] }
}

const connect = (id: string | null) => (id === null ? {} : { connect: { id } })
