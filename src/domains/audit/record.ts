import type { Transaction } from '../../db/database.ts'
import { type IdKind, newId } from '../../ids.ts'
import type { Origin, RunPrincipal, UserPrincipal } from '../accounts/principal.ts'
import type { JsonObject } from '../input.ts'
import { storedWord } from '../stored-word.ts'

/** What is written down. */
export const AUDIT_ACTIONS = [
  'SIGNED_IN',
  'SIGN_IN_REFUSED',
  'SIGNED_OUT',
  'SIGNED_OUT_EVERYWHERE',
  'SESSION_REVOKED',
  'REFRESH_TOKEN_REUSED',
  'PASSWORD_CHANGED',
  'PASSWORD_RESET_REQUESTED',
  'PASSWORD_RESET',
  'API_TOKEN_CREATED',
  'API_TOKEN_REVOKED',
  'INVITATION_CREATED',
  'INVITATION_REVOKED',
  'USER_REGISTERED',
  'USER_CREATED',
  'USER_UPDATED',
  'USER_ROLE_CHANGED',
  'USER_DEACTIVATED',
  'USER_REACTIVATED',
  'USER_DELETED',
  'PROJECT_CREATED',
  'PROJECT_UPDATED',
  'PROJECT_DELETED',
  'PROJECT_MEMBER_SET',
  'PROJECT_MEMBER_REMOVED',
  'DATASET_CREATED',
  'DATASET_UPDATED',
  'DATASET_DELETED',
  'DATASET_FILE_UPLOADED',
  'DATASET_FILE_DELETED',
  'TRAIN_CONFIG_UPLOADED',
  'TRAIN_CONFIG_DELETED',
  'RUN_STARTED',
  'RUN_RESUMED',
  'RUN_CANCELLED',
  'ARTIFACT_REGISTERED',
  'ARTIFACT_TAGGED',
  'ARTIFACT_UNTAGGED',
  'LAUNCHER_CREATED',
  'LAUNCHER_UPDATED',
  'LAUNCHER_DELETED',
  'DEPLOYMENT_CREATED',
  'DEPLOYMENT_STARTED',
  'DEPLOYMENT_UPDATED',
  'DEPLOYMENT_STOPPED',
  'DEPLOYMENT_DELETED',
  'ENGINE_CREATED',
  'ENGINE_UPDATED',
  'ENGINE_DELETED',
  'COMPUTE_NODE_REGISTERED',
  'COMPUTE_NODE_UPDATED',
  'COMPUTE_NODE_DELETED',
  'COMPUTE_NODE_OPERATED',
  'ALERT_ACKNOWLEDGED',
  'ALERT_RULE_CREATED',
  'ALERT_RULE_UPDATED',
  'ALERT_RULE_DELETED',
  'WEBHOOK_CREATED',
  'WEBHOOK_UPDATED',
  'WEBHOOK_DELETED',
  'WEBHOOK_TESTED',
  'AUDIT_EXPORTED',
  'KEYS_ROTATED',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** Who does something: see AuditActor. */
export const ACTOR_KINDS = ['USER', 'RUN', 'ANONYMOUS', 'OPERATOR'] as const
export type ActorKind = (typeof ACTOR_KINDS)[number]

/** Something that was done. */
export interface AuditEntry {
  action: AuditAction
  /** To which object; its name is kept as it was. */
  target?: { kind: IdKind; id: string; name: string }
  /** What else is good to know; never a secret. */
  details?: JsonObject
}

/** A person with what they did it with, such as the sign-in that they have just begun. */
type Person = Pick<UserPrincipal, 'kind' | 'userId' | 'username' | 'credential' | 'origin'>

/** Who did it: somebody known, somebody who did not say (by where they came from), or the server's operator. */
export type AuditActor = Person | RunPrincipal | { kind: 'anonymous'; origin: Origin } | { kind: 'operator' }

/** Writes down who did what, in the transaction that does it: neither is there without the other. */
export async function recordEvent(
  tx: Transaction,
  actor: AuditActor,
  { action, target, details = {} }: AuditEntry,
): Promise<void> {
  const known = actor.kind === 'user' || actor.kind === 'run' ? actor : null
  await tx.auditEvent.create({
    data: {
      id: newId('AuditEvent'),
      createdAt: new Date(),
      action,
      actorKind: actor.kind.toUpperCase(),
      actorId: actor.kind === 'user' ? actor.userId : actor.kind === 'run' ? actor.runId : null,
      actorName: actor.kind === 'user' ? actor.username : null,
      sessionId: known?.credential.kind === 'session' ? known.credential.id : null,
      tokenId: known?.credential.kind === 'token' ? known.credential.id : null,
      targetKind: target?.kind ?? null,
      targetId: target?.id ?? null,
      targetName: target?.name ?? null,
      address: actor.kind === 'operator' ? null : actor.origin.address,
      userAgent: actor.kind === 'operator' ? null : actor.origin.userAgent,
      details,
    },
  })
}

/** A stored action; the database holds nothing else. */
export function toAuditAction(action: string): AuditAction {
  return storedWord('an event', AUDIT_ACTIONS, action)
}

/** A stored kind of actor; the database holds nothing else. */
export function toActorKind(kind: string): ActorKind {
  return storedWord('an event', ACTOR_KINDS, kind)
}
