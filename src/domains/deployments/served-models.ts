import type { Database } from '../../db/database.ts'
import type { Deployment, ModelServer } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { nodeTopics } from '../compute-nodes/topics.ts'
import { storedStrings } from '../input.ts'
import { deploymentTopics } from './lifecycle.ts'
import { serverUrl } from './places/address.ts'
import { settingsOf } from './settings.ts'

/** A model server that answers requests. */
export interface Target {
  modelServerId: string
  /** What clients call its model; another name than its deployment has while that is changed. */
  name: string
  /** What it calls its model itself; null when that is its name. */
  ownName: string | null
  /** Where it is reached. */
  url: string
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

/** Reads again after every change of a deployment, or of a node. What is on a node that is not heard of serves nobody. */
export function createServedModels(deps: {
  database: Database
  signals: Signals
  /** The address that model servers listen on, on the server's own machine. */
  deploymentHost: string
}): ServedModels {
  let current: Promise<ServedDeployment[]> | null = null
  const stops = [deploymentTopics.any, nodeTopics.any].map((topic) =>
    deps.signals.listen(topic, () => {
      current = null
    }),
  )

  async function load(): Promise<ServedDeployment[]> {
    const rows = await deps.database.prisma.deployment.findMany({
      where: { removing: false },
      include: {
        createdBy: { select: { username: true } },
        modelServers: {
          where: { phase: 'HEALTHY', ending: false, node: { isOnline: true } },
          include: { node: { select: { id: true, address: true } } },
          orderBy: { revision: 'asc' },
        },
      },
      orderBy: { id: 'asc' },
    })
    return rows.map(({ createdBy, modelServers, ...deployment }) => ({
      deployment,
      madeBy: createdBy.username,
      targets: modelServers.flatMap((server) => {
        const url = serverUrl(server.node, server.port, deps.deploymentHost)
        return url === null ? [] : [targetOf(server, url)]
      }),
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
    stop() {
      for (const stop of stops) stop()
    },
  }
}

function targetOf({ id, settings, argv, healthySince, createdAt }: ModelServer, url: string): Target {
  const { name, modelPath } = settingsOf(settings)
  return {
    modelServerId: id,
    name,
    ownName: isTold(storedStrings(argv), name) ? null : modelPath,
    url,
    healthySince: healthySince ?? createdAt,
  }
}

/** Whether a command tells the name; engines that are not told one go by the path of the model. */
function isTold(argv: string[], name: string): boolean {
  return argv.some((element) => element === name || element.endsWith(`=${name}`))
}
