import { createBatch } from '../../db/batch.ts'
import type { Database } from '../../db/database.ts'
import { type IdKind, kindOfId } from '../../ids.ts'

/** A row that an event is about, with its type, by which the API knows what it is. */
export interface Target {
  id: string
  __typename: IdKind
}

/** What has an id and cannot be shown by itself, or is no target. */
const OTHER_KINDS = [
  'ProjectMember',
  'ProjectVersion',
  'AuditEvent',
  'Engine',
  'ModelServer',
  'Execution',
  'WebhookDelivery',
] as const
type TargetKind = Exclude<IdKind, (typeof OTHER_KINDS)[number]>

/** Finds what events are about by its id: the events of a page take one statement for each kind of thing. */
export function createTargetLoader({ prisma }: Database): (id: string) => Promise<Target | undefined> {
  const byIds = (ids: string[]) => ({ where: { id: { in: ids } } })
  const loaders: Record<TargetKind, (ids: string[]) => Promise<{ id: string }[]>> = {
    User: (ids) => prisma.user.findMany(byIds(ids)),
    UserSession: (ids) => prisma.userSession.findMany(byIds(ids)),
    Invitation: (ids) => prisma.invitation.findMany(byIds(ids)),
    ApiToken: (ids) => prisma.apiToken.findMany({ where: { id: { in: ids }, runId: null } }),
    Launcher: (ids) => prisma.launcher.findMany(byIds(ids)),
    Project: (ids) => prisma.project.findMany(byIds(ids)),
    Dataset: (ids) => prisma.dataset.findMany(byIds(ids)),
    DatasetFile: (ids) => prisma.datasetFile.findMany(byIds(ids)),
    Run: (ids) => prisma.run.findMany(byIds(ids)),
    Artifact: (ids) => prisma.artifact.findMany(byIds(ids)),
    Deployment: (ids) => prisma.deployment.findMany(byIds(ids)),
    ComputeNode: (ids) => prisma.computeNode.findMany(byIds(ids)),
    AlertRule: (ids) => prisma.alertRule.findMany(byIds(ids)),
    Alert: (ids) => prisma.alert.findMany(byIds(ids)),
    Webhook: (ids) => prisma.webhook.findMany(byIds(ids)),
  }

  return createBatch(async (ids) => {
    const byKind = Map.groupBy(ids, kindOfId)
    const found = await Promise.all(
      byKind.entries().map(async ([kind, ids]) => {
        if (kind === null || !isTargetKind(kind)) return []
        return (await loaders[kind](ids)).map((row) => [row.id, { ...row, __typename: kind }] as const)
      }),
    )
    return new Map(found.flat())
  })
}

function isTargetKind(kind: IdKind): kind is TargetKind {
  return !OTHER_KINDS.some((other) => other === kind)
}
