import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { ConflictError, NotFoundError, UnavailableError } from '../../errors.ts'
import type { ModelDirectory, ServedModel, Upstream } from '../../gateway/model-directory.ts'
import { outageOf } from '../../outage.ts'
import type { Signals } from '../../streams/signals.ts'
import { waitFor } from '../../streams/wait.ts'
import { identityOf, isAdministrator, type Principal, requireUser } from '../accounts/principal.ts'
import type { ProjectAccess } from '../projects/access.ts'
import { deploymentTopics } from './lifecycle.ts'
import type { Load } from './load.ts'
import type { ServedDeployment, ServedModels, Target } from './served-models.ts'
import type { DeploymentService } from './service.ts'
import type { UsageCounter } from './usage.ts'

/** What the directory needs. */
export interface DirectoryDependencies {
  signals: Signals
  log: Logger
  access: ProjectAccess
  deployments: Pick<DeploymentService, 'load' | 'unload'>
  served: ServedModels
  usage: UsageCounter
  load: Load
  /** How long a model server may take to become healthy: so long does a request wait for it. */
  deploymentStartSeconds: number
}

/** How long it is remembered that somebody sees a project, in ms: a right that is taken away ends with it. */
const REMEMBERED_MS = 2000
/** How often it is looked whether a model is used, in ms. */
const IDLE_CHECK_MS = 500

/** Finds who serves a model, and unloads what nobody uses. */
export interface DeploymentDirectory extends ModelDirectory {
  start(): void
  stop(): Promise<void>
}

/** The deployments as the gateway sees them. */
export function createModelDirectory(deps: DirectoryDependencies): DeploymentDirectory {
  const { signals, log, access, deployments, served, usage, load } = deps
  const turns = new Map<string, number>()
  const loading = new Map<string, Promise<void>>()
  /** When a deployment was used last, since this server started, in epoch ms. */
  const lastUsed = new Map<string, number>()
  const shows = createMemory(access)
  const abort = new AbortController()
  let watching: Promise<void> = Promise.resolve()

  async function visible(principal: Principal): Promise<ServedDeployment[]> {
    const all = await served.read()
    const isShown = await Promise.all(
      all.map(({ deployment: { projectId } }) => projectId === null || shows(principal, projectId)),
    )
    return all.filter((_, index) => isShown[index])
  }

  function next(name: string, targets: { target: Target; deploymentId: string }[]) {
    const turn = turns.get(name) ?? 0
    turns.set(name, turn + 1)
    return targets[turn % targets.length]
  }

  function hold(deploymentId: string, { modelServerId, ownName, url }: Target): Upstream {
    const end = load.begin(modelServerId)
    lastUsed.set(deploymentId, Date.now())
    return {
      deploymentId,
      url,
      modelName: ownName,
      release() {
        lastUsed.set(deploymentId, Date.now())
        end()
      },
    }
  }

  /** Loads a model that was unloaded; whoever asks meanwhile waits for the same. */
  function loadAgain({ deployment }: ServedDeployment): Promise<void> {
    const under = loading.get(deployment.id)
    if (under) return under
    const done = deployments
      .load(deployment)
      .catch((error: unknown) => {
        // Somebody else was faster.
        if (!(error instanceof ConflictError)) throw error
      })
      .finally(() => loading.delete(deployment.id))
    loading.set(deployment.id, done)
    return done
  }

  async function unloadIdle(): Promise<void> {
    for (const { deployment, targets } of await served.read()) {
      const { idleUnloadSeconds, status, lastRequestAt } = deployment
      if (idleUnloadSeconds === null || status !== 'RUNNING') continue
      if (targets.some(({ modelServerId }) => load.count(modelServerId) > 0)) continue
      const used = [
        lastUsed.get(deployment.id) ?? 0,
        lastRequestAt?.getTime() ?? 0,
        ...targets.map(({ healthySince }) => healthySince.getTime()),
      ]
      if (Date.now() - Math.max(...used) < idleUnloadSeconds * 1000) continue
      const reason = `Unloaded, because nobody has used it for ${idleUnloadSeconds} s. The next request loads it again.`
      if (await deployments.unload(deployment, reason)) log.info({ deploymentId: deployment.id }, 'unloaded')
    }
  }

  async function watchIdle(): Promise<void> {
    while (!abort.signal.aborted) {
      try {
        await unloadIdle()
      } catch (error) {
        if (!outageOf(error)) log.error({ err: error }, 'idle models could not be unloaded; trying again')
      }
      await sleep(IDLE_CHECK_MS, undefined, { signal: abort.signal }).catch(() => undefined)
    }
  }

  return {
    async list(principal): Promise<ServedModel[]> {
      requireUser(principal, 'READ')
      return (await visible(principal)).filter(isUsable).map(({ deployment, madeBy }) => ({
        deploymentId: deployment.id,
        name: deployment.name,
        createdAt: deployment.createdAt,
        ownedBy: madeBy,
      }))
    },

    async acquire(principal, name, signal): Promise<Upstream> {
      requireUser(principal, 'RUN')
      const options = {
        signals,
        signal,
        topic: deploymentTopics.any,
        timeoutMs: deps.deploymentStartSeconds * 1000,
      }
      const upstream = await waitFor(options, async () => {
        const named = (await visible(principal)).filter((entry) => serves(entry, name))
        if (named.length === 0) throw new NotFoundError('model', name)
        const found = next(
          name,
          named.flatMap(({ deployment, targets }) =>
            targets
              .filter((target) => target.name === name)
              .map((target) => ({ target, deploymentId: deployment.id })),
          ),
        )
        if (found) return hold(found.deploymentId, found.target)
        const unloaded = named.filter(
          ({ deployment }) => deployment.unloaded && deployment.status === 'STOPPED',
        )
        await Promise.all(unloaded.map(loadAgain))
        if (!named.some(isComing)) throw notHealthy(name, named)
        return null
      })
      if (!upstream)
        throw notHealthy(
          name,
          (await visible(principal)).filter((entry) => serves(entry, name)),
        )
      return upstream
    },

    record(deploymentId, request) {
      usage.count(deploymentId, request)
    },

    start() {
      watching = watchIdle()
    },

    async stop() {
      abort.abort()
      served.stop()
      await watching
    },
  }
}

function serves({ deployment, targets }: ServedDeployment, name: string): boolean {
  return deployment.name === name || targets.some((target) => target.name === name)
}

/** Whether a model answers now, or when it is asked. */
function isUsable(entry: ServedDeployment): boolean {
  return entry.targets.length > 0 || isComing(entry)
}

/** Whether a request may wait for a model: it is loaded on demand, and nothing keeps it from that. */
function isComing({ deployment }: ServedDeployment): boolean {
  const { status, unloaded, idleUnloadSeconds } = deployment
  if (unloaded) return true
  return idleUnloadSeconds !== null && ['PENDING', 'STARTING', 'RUNNING'].includes(status)
}

function notHealthy(name: string, named: ServedDeployment[]): UnavailableError {
  const statuses = [...new Set(named.map(({ deployment }) => deployment.status))].join(', ')
  return new UnavailableError(
    `The model ${JSON.stringify(name)} cannot be used now: its deployment is ${statuses}.`,
  )
}

/** Remembers for a moment who sees which project. */
function createMemory(access: ProjectAccess) {
  const known = new Map<string, { until: number; shown: Promise<boolean> }>()
  return async (principal: Principal, projectId: string): Promise<boolean> => {
    if (isAdministrator(principal)) return true
    const key = JSON.stringify([identityOf(principal), projectId])
    const earlier = known.get(key)
    const now = performance.now()
    if (earlier && earlier.until > now) return earlier.shown
    // Whoever was here long ago is not worth remembering.
    if (known.size > 10_000) known.clear()
    const shown = access.shows(principal, projectId)
    known.set(key, { until: now + REMEMBERED_MS, shown })
    return shown
  }
}
