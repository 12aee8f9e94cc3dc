import type { Database, Transaction } from '../../db/database.ts'
import type { Deployment, ModelServer } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { appendLogLines } from '../../streams/log-lines.ts'
import type { Signals } from '../../streams/signals.ts'
import { announceDeployment, type DeploymentKey, deploymentTopics } from './lifecycle.ts'
import type { Place } from './places/places.ts'
import type { ServerSettings } from './settings.ts'
import type { ModelServerPhase } from './status.ts'

/** Gives a deployment a model server in a place that is reserved with it. */
export async function addServer(
  tx: Transaction,
  { id: deploymentId, revision }: Pick<Deployment, 'id' | 'revision'>,
  settings: ServerSettings,
  { nodeId, port, gpus, argv }: Place,
  at: Date,
): Promise<ModelServer> {
  const phase: ModelServerPhase = 'WAITING'
  return tx.modelServer.create({
    data: {
      id: newId('ModelServer'),
      deploymentId,
      nodeId,
      revision,
      settings: { ...settings },
      port,
      argv,
      phase,
      launchAt: at,
      tryingSince: at,
      createdAt: at,
      gpus: { create: gpus.map((gpu) => ({ nodeId, gpu })) },
    },
  })
}

/** Writes down that all model servers are to end; an earlier wish to kill them sooner stays. */
export async function endServers(
  tx: Transaction,
  deploymentId: string,
  killAfterSeconds: number | null,
): Promise<void> {
  const data = { ending: true, retired: false }
  await tx.modelServer.updateMany({ where: { deploymentId }, data })
  if (killAfterSeconds === null) return
  await tx.modelServer.updateMany({
    where: {
      deploymentId,
      OR: [{ killAfterSeconds: null }, { killAfterSeconds: { gt: killAfterSeconds } }],
    },
    data: { killAfterSeconds },
  })
}

/** Says something of Trainyard's own in the log of a deployment. */
export async function noteInLog(
  database: Database,
  tx: Transaction,
  { logStreamId }: DeploymentKey,
  message: string,
): Promise<void> {
  await appendLogLines(database, tx, logStreamId, [
    { timestamp: new Date(), level: 'INFO', source: 'SYSTEM', message },
  ])
}

/** Tells the worker of a new model server, and everybody of its deployment. */
export function setToWork(signals: Signals, deployment: DeploymentKey, server: ModelServer): void {
  announceDeployment(signals, deployment)
  signals.notify(deploymentTopics.work, server.id)
}
