import type { z } from 'zod'
import type { Transaction } from '../../db/database.ts'
import { ConflictError, ValidationError } from '../../errors.ts'
import type { Deployment, ModelServer } from '../../generated/prisma/client.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { quoteForShell } from '../runs/command.ts'
import { requireChangeable } from './access.ts'
import { DEFAULT_ENGINE } from './built-in-engines.ts'
import type { DeploymentDependencies, DeploymentQuery } from './dependencies.ts'
import { checkExtraArguments } from './extra-arguments.ts'
import { UpdateDeploymentInput } from './inputs.ts'
import { announceDeployment, settle, targetOf } from './lifecycle.ts'
import { addServer, noteInLog, setToWork } from './model-servers.ts'
import { findModel } from './models.ts'
import { mayBeElsewhere, requirePlacement } from './placement.ts'
import { NoRoomError, type Place } from './places/places.ts'
import { type ServerSettings, servesTheSame, settingsOf } from './settings.ts'
import { isActive } from './status.ts'

/** Changes of deployments, also of those that serve. */
export function createDeploymentChanges(deps: DeploymentDependencies) {
  const { database, signals, engines, places, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /**
     * Changes a deployment. What its model server must be started with goes to another one, and the present one serves
     * until that is healthy.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError, ConflictError, UnavailableError
     */
    async update(principal: Principal, input: unknown, query: DeploymentQuery = {}): Promise<Deployment> {
      requireUser(principal, 'RUN')
      const request = parseInput(UpdateDeploymentInput, input)
      const before = await requireChangeable(prisma, principal, request.deploymentId)
      if (before.removing || before.status === 'STOPPING') {
        throw new ConflictError(`Deployment ${before.name} is being stopped: change it when that is done.`)
      }
      const { settings, engine } = await changedSettings(principal, before, request)
      const write = async (tx: Transaction) => {
        const changed = await writeChange(tx, before, request, settings)
        await recordEvent(tx, principal, {
          action: 'DEPLOYMENT_UPDATED',
          target: targetOf(before),
          details: { fields: changed },
        })
      }
      if (!isActive(before.status) || servesTheSame(settings, settingsOf(before))) {
        await database.transaction(async (tx) => {
          await write(tx)
          await tx.modelServer.updateMany({
            where: { deploymentId: before.id, revision: before.revision },
            data: { settings: { ...settings } },
          })
        })
      } else {
        const server = await places
          .reserve(settings, engine, async (tx, place) => {
            await write(tx)
            return replaceServer(tx, before, settings, place)
          })
          .catch((error: unknown) => {
            if (!(error instanceof NoRoomError)) throw error
            const advice =
              'Where there is no room for two model servers, stop it, change it, and start it again.'
            throw new NoRoomError(`${error.message} ${advice}`)
          })
        setToWork(signals, before, server)
      }
      announceDeployment(signals, before)
      return prisma.deployment.findUniqueOrThrow({ ...query, where: { id: before.id } })
    },
  }

  /** The settings that a deployment has after a change. */
  async function changedSettings(
    principal: Principal,
    before: Deployment,
    request: z.output<typeof UpdateDeploymentInput>,
  ) {
    const old = settingsOf(before)
    const isNewModel = Boolean(request.modelPath ?? request.artifactId)
    const placement =
      request.placement === undefined ? old : await requirePlacement(prisma, request.placement)
    const model = isNewModel ? await findModel(deps, principal, request, mayBeElsewhere(placement)) : null
    if (model && model.projectId !== null && model.projectId !== before.projectId) {
      throw ValidationError.at('artifactId', 'A deployment serves artifacts of its own project only.')
    }
    const engineName = request.engine === undefined ? old.engine : (request.engine ?? DEFAULT_ENGINE)
    const engine = await engines.use(engineName)
    const isNewEngine = engineName !== old.engine
    const keep = <T>(given: T | undefined, kept: T): T => (given === undefined ? kept : given)
    const settings: ServerSettings = {
      name: request.name ?? old.name,
      modelPath: model?.modelPath ?? old.modelPath,
      artifactId: model ? model.artifactId : old.artifactId,
      modelVersion: keep(request.modelVersion, model ? model.version : old.modelVersion),
      engine: engineName,
      extraArgs: request.extraArgs === undefined ? old.extraArgs : (request.extraArgs ?? []),
      gpuCount: keep(request.gpuCount, old.gpuCount),
      preferredGpu: keep(request.preferredGpu, old.preferredGpu),
      healthPath: keep(request.healthPath, isNewEngine ? null : old.healthPath) ?? engine.healthPath,
      wantedNodeId: placement.wantedNodeId,
      wantedLabels: placement.wantedLabels,
    }
    checkExtraArguments(settings.extraArgs, deps)
    return { settings, engine }
  }

  /** @returns the names of the fields that the request gave */
  async function writeChange(
    tx: Transaction,
    { id }: Deployment,
    request: z.output<typeof UpdateDeploymentInput>,
    settings: ServerSettings,
  ): Promise<string[]> {
    const { deploymentId: _, tags, environment, idleUnloadSeconds } = request
    const values = tags === undefined ? null : (tags ?? [])
    await tx.deployment.update({
      where: { id },
      data: {
        ...settings,
        updatedAt: now(),
        ...(environment !== undefined && { environment }),
        ...(idleUnloadSeconds !== undefined && { idleUnloadSeconds }),
      },
    })
    if (values) {
      await tx.deploymentTag.deleteMany({ where: { deploymentId: id } })
      await tx.deploymentTag.createMany({
        data: values.map((value, position) => ({ deploymentId: id, value, position })),
      })
    }
    return Object.entries(request).flatMap(([field, value]) =>
      field === 'deploymentId' || value === undefined ? [] : [field],
    )
  }

  /** Gives a deployment a model server of its next revision, beside the one that serves; an earlier one that was to replace that is given up. */
  async function replaceServer(
    tx: Transaction,
    before: Deployment,
    settings: ServerSettings,
    place: Place,
  ): Promise<ModelServer> {
    const current = await tx.deployment.findUniqueOrThrow({ where: { id: before.id } })
    if (!isActive(current.status)) {
      throw new ConflictError(`Deployment ${before.name} has been stopped meanwhile: change it again.`)
    }
    await tx.modelServer.updateMany({
      where: { deploymentId: before.id, ending: false, phase: { notIn: ['HEALTHY', 'UNHEALTHY'] } },
      data: { ending: true, killAfterSeconds: deps.deploymentStopSeconds },
    })
    const revision = current.revision + 1
    await tx.deployment.update({
      where: { id: before.id },
      data: { revision, command: quoteForShell(place.argv), statusReason: null },
    })
    await noteInLog(
      database,
      tx,
      before,
      `Changed: revision ${revision} is started, and replaces what serves when it is healthy.`,
    )
    const server = await addServer(tx, { id: before.id, revision }, settings, place, now())
    await settle(tx, before.id, now())
    return server
  }
}
