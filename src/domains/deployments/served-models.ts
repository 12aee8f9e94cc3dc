import type { Database } from '../../db/database.ts'
import type { Deployment, ModelServer } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { storedStrings } from '../input.ts'
import { deploymentTopics } from './lifecycle.ts'
import { settingsOf } from './settings.ts'

/** A model server that answers requests. */
export interface Target {
  modelServerId: string
  /** What clients call its model; another name than its deployment has while that is changed. */
  name: string
  /** What it calls its model itself; null when that is its name. */
  ownName: string | null
  port: number
  healthySince: Date
}

/** A deployment as requests for its model see it. */
export interface ServedDeployment {
  deployment: Deployment
  /** The username of its maker. */
  madeBy: string
  targets: Target[]
}

/** Who serves what now, in memory, so that a request costs no statement. */
export interface ServedModels {
  /** All deployments that are not being deleted. */
  read(): Promise<ServedDeployment[]>
  stop(): void
}

/** Reads again after every change of a deployment. */
export function createServedModels(deps: { database: Database; signals: Signals }): ServedModels {
  let current: Promise<ServedDeployment[]> | null = null
  const stop = deps.signals.listen(deploymentTopics.any, () => {
    current = null
  })

  async function load(): Promise<ServedDeployment[]> {
    const rows = await deps.database.prisma.deployment.findMany({
      where: { removing: false },
      include: {
        createdBy: { select: { username: true } },
        modelServers: { where: { phase: 'HEALTHY', ending: false }, orderBy: { revision: 'asc' } },
      },
      orderBy: { id: 'asc' },
    })
    return rows.map(({ createdBy, modelServers, ...deployment }) => ({
      deployment,
      madeBy: createdBy.username,
      targets: modelServers.map(targetOf),
    }))
  }

  return {
    read() {
      if (current) return current
      const loading = load()
      current = loading
      loading.catch(() => {
        if (current === loading) current = null
      })
      return loading
    },
    stop,
  }
}

function targetOf({ id, settings, argv, port, healthySince, createdAt }: ModelServer): Target {
  const { name, modelPath } = settingsOf(settings)
  return {
    modelServerId: id,
    name,
    ownName: isTold(storedStrings(argv), name) ? null : modelPath,
    port,
    healthySince: healthySince ?? createdAt,
  }
}

/** Whether a command tells the name; engines that are not told one go by the path of the model. */
function isTold(argv: string[], name: string): boolean {
  return argv.some((element) => element === name || element.endsWith(`=${name}`))
}
