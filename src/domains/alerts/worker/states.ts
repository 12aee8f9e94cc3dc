import type { Database } from '../../../db/database.ts'
import type { AlertCondition } from '../conditions.ts'
import type { Finding, Subject } from '../records.ts'
import type { Tracker } from './tracker.ts'

/** Something that stands one way or another until it changes, with what follows from how it does. */
interface Standing {
  id: string
  findings: Partial<Record<AlertCondition, Finding | null>>
}

/** Looks how compute nodes stand. */
export async function lookAtNodes({ prisma }: Database, tracker: Tracker, ids: string[]): Promise<void> {
  const nodes = await prisma.computeNode.findMany({
    where: { id: { in: ids } },
    select: { id: true, isOnline: true, mode: true, lastSeenAt: true },
  })
  const standings = nodes.map(({ id, isOnline, mode, lastSeenAt }): Standing => {
    // Whoever stops a node expects it to go.
    const isGone = !isOnline && mode !== 'STOPPED'
    const heard = lastSeenAt ? `it was last heard of at ${lastSeenAt.toISOString()}` : 'it was never heard of'
    const finding = { value: null, message: (name: string) => `${name} is offline: ${heard}.` }
    return { id, findings: { NODE_OFFLINE: isGone ? finding : null } }
  })
  report(tracker, 'ComputeNode', ids, standings)
}

/** Looks how deployments stand. */
export async function lookAtDeployments(
  { prisma }: Database,
  tracker: Tracker,
  ids: string[],
): Promise<void> {
  const deployments = await prisma.deployment.findMany({
    where: { id: { in: ids } },
    select: { id: true, status: true, statusReason: true },
  })
  const standings = deployments.map(({ id, status, statusReason }): Standing => {
    const finding = (what: string): Finding => ({
      value: null,
      message: (name) => withReason(`Deployment ${name} ${what}`, statusReason),
    })
    return {
      id,
      findings: {
        DEPLOYMENT_UNHEALTHY:
          status === 'UNHEALTHY' ? finding('does not answer its health checks any more') : null,
        DEPLOYMENT_FAILED: status === 'FAILED' ? finding('has failed') : null,
      },
    }
  })
  report(tracker, 'Deployment', ids, standings)
}

/** A sentence with the reason behind it, where there is one. */
export function withReason(what: string, reason: string | null): string {
  return reason ? `${what}: ${reason}` : `${what}.`
}

/** Says how each of some things stands; those that are not there any more are forgotten. */
function report(tracker: Tracker, kind: Subject['kind'], ids: string[], standings: Standing[]): void {
  const there = new Map(standings.map(({ id, findings }) => [id, findings]))
  for (const id of ids) {
    const findings = there.get(id)
    if (!findings) tracker.forget({ kind, id })
    for (const condition of CONDITIONS) {
      const finding = findings?.[condition]
      if (finding === undefined) continue
      for (const rule of tracker.rulesOf(condition)) tracker.report(rule, { kind, id }, finding, true)
    }
  }
}

const CONDITIONS = ['NODE_OFFLINE', 'DEPLOYMENT_UNHEALTHY', 'DEPLOYMENT_FAILED'] as const
