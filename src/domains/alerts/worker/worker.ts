import { nodeTopics } from '../../compute-nodes/topics.ts'
import { deploymentTopics } from '../../deployments/lifecycle.ts'
import { runTopics } from '../../runs/lifecycle.ts'
import type { SubjectKind } from '../conditions.ts'
import { alertTopics } from '../topics.ts'
import { gather } from './gather.ts'
import { createRunAlerts } from './runs.ts'
import { lookAtDeployments, lookAtNodes } from './states.ts'
import { type ObservedSample, observeSample } from './telemetry.ts'
import { createTracker, type TrackerDependencies } from './tracker.ts'

const DAY_MS = 86_400_000

/** What the watch over everything needs. */
export interface AlertWorkerDependencies extends TrackerDependencies {
  /** How many days alerts are kept; 0 for ever. */
  alertDays: number
}

/** Watches over everything that there are rules about. */
export function createAlertWorker(deps: AlertWorkerDependencies) {
  const { database, signals, log, now, alertDays } = deps
  const tracker = createTracker(deps)
  const runAlerts = createRunAlerts({ ...deps, tracker })
  let stopWatching: (() => Promise<unknown>) | null = null

  function watch() {
    const on = { signals, log }
    const runs = gather({ ...on, topic: runTopics.any }, (ids) => runAlerts.look(ids))
    const nodes = gather({ ...on, topic: nodeTopics.any }, (ids) => lookAtNodes(database, tracker, ids))
    const deployments = gather({ ...on, topic: deploymentTopics.any }, (ids) =>
      lookAtDeployments(database, tracker, ids),
    )
    return { runs, nodes, deployments }
  }

  /** What compute nodes and deployments there are to look at, whoever changed them meanwhile. */
  async function lookAround({ nodes, deployments }: ReturnType<typeof watch>) {
    const [allNodes, allDeployments] = await Promise.all([
      database.prisma.computeNode.findMany({ select: { id: true } }),
      database.prisma.deployment.findMany({
        where: { status: { in: ['UNHEALTHY', 'FAILED'] } },
        select: { id: true },
      }),
    ])
    // Of those that are gone, or well again, alerts may be open.
    const withAlerts = (kind: SubjectKind) =>
      tracker.subjects().flatMap((subject) => (subject.kind === kind ? [subject.id] : []))
    nodes.add([...allNodes.map(({ id }) => id), ...withAlerts('ComputeNode')])
    deployments.add([...allDeployments.map(({ id }) => id), ...withAlerts('Deployment')])
  }

  /** Runs that something happened to while nobody looked, or while the rule for it was yet to be known here. */
  async function findMissed({ runs }: ReturnType<typeof watch>) {
    const since = alertDays === 0 ? 0 : now().getTime() - alertDays * DAY_MS
    runs.add(await runAlerts.missed(new Date(since)))
  }

  return {
    /** Takes note of how a compute node does. */
    observe(nodeId: string, sample: ObservedSample): void {
      observeSample(tracker, nodeId, sample)
    },

    /** Takes up the alerts that are open, finds what happened while no server ran, then goes on. */
    async start(): Promise<void> {
      await tracker.load()
      const watched = watch()
      const reload = gather({ signals, log, topic: alertTopics.rules }, async () => {
        await tracker.load()
        await lookAround(watched)
        await findMissed(watched)
      })
      stopWatching = () =>
        Promise.all([watched.runs.stop(), watched.nodes.stop(), watched.deployments.stop(), reload.stop()])
      await lookAround(watched)
      await findMissed(watched)
      tracker.start()
    },

    /** Waits until everything is written that was found so far. */
    idle: () => tracker.idle(),

    async stop(): Promise<void> {
      await stopWatching?.()
      await tracker.stop()
    },
  }
}
