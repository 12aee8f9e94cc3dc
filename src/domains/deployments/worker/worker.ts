import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { kindOfId } from '../../../ids.ts'
import { deploymentTopics, settle } from '../lifecycle.ts'
import { deploymentFolder, processFolder } from '../paths.ts'
import { attendModelServer } from './attend.ts'
import type { AttendDependencies } from './dependencies.ts'

/** Sees to it that what is to be served is served. */
export interface DeploymentWorker {
  /** Takes up the model servers that an earlier server left, then works until it is stopped. */
  start(): Promise<void>
  /** Leaves the processes alone: they go on, and the next server finds them. */
  stop(): Promise<void>
}

/** A worker for the model servers of all nodes. */
export function createDeploymentWorker(deps: AttendDependencies): DeploymentWorker {
  const { database, signals, log } = deps
  const abort = new AbortController()
  const attending = new Map<string, Promise<void>>()
  let stopListening = () => {}

  function attend(id: string) {
    if (attending.has(id) || abort.signal.aborted) return
    const done = attendModelServer(deps, id, abort.signal)
      .catch((error: unknown) => log.error({ err: error, id }, 'a model server is not attended any more'))
      .finally(() => attending.delete(id))
    attending.set(id, done)
  }

  /** Finishes what a server had begun when it died. */
  async function settleAll(): Promise<void> {
    const left = await database.prisma.deployment.findMany({
      where: { modelServers: { none: {} }, OR: [{ removing: true }, { status: 'STOPPING' }] },
      select: { id: true },
    })
    for (const { id } of left) await database.transaction((tx) => settle(tx, id, new Date()))
  }

  return {
    async start() {
      await settleAll()
      await sweepFolders(deps)
      const left = await database.prisma.modelServer.findMany({ select: { id: true } })
      if (left.length > 0)
        log.info({ modelServerIds: left.map(({ id }) => id) }, 'taking up model servers again')
      for (const { id } of left) attend(id)
      stopListening = signals.listen(deploymentTopics.work, (id) => {
        if (id !== undefined) attend(id)
      })
    },
    async stop() {
      stopListening()
      abort.abort()
      await Promise.all(attending.values())
    },
  }
}

/** Removes what no model server has any more: folders of processes that are over, and of deployments that are deleted. */
async function sweepFolders({ database, deploymentsDir, executor }: AttendDependencies): Promise<void> {
  const rows = await database.prisma.deployment.findMany({ select: { id: true, modelServers: true } })
  const deployments = new Set(rows.map(({ id }) => id))
  const inUse = new Set(
    rows.flatMap(({ modelServers }) => modelServers.map((server) => processFolder(deploymentsDir, server))),
  )
  for (const name of await readdir(deploymentsDir)) {
    if (kindOfId(name) !== 'Deployment') continue
    const folder = deploymentFolder(deploymentsDir, name)
    for (const entry of await readdir(folder)) {
      const directory = join(folder, entry)
      if (kindOfId(entry.split('.', 1)[0] ?? '') !== 'ModelServer' || inUse.has(directory)) continue
      await executor.release(directory)
      await rm(directory, { recursive: true, force: true })
    }
    if (!deployments.has(name)) await rm(folder, { recursive: true, force: true })
  }
}
