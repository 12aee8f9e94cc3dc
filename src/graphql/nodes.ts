import type { Principal } from '../domains/accounts/principal.ts'
import type { IdKind } from '../ids.ts'
import type { Services } from './context.ts'

/** Finds a thing for somebody who may see it; null when there is none, or not for them. */
type FindNode = (services: Services, principal: Principal, id: string) => Promise<object | null> | object

/** For whoever may read at all, as all do who get here. Of which rows, the `findUnique` of the type says. */
const byItsType: FindNode = (_services, principal) => principal

/**
 * How each kind of node is found by whoever asks for it by its id. A kind that is not named here is not found by
 * anybody.
 */
export const NODE_FINDERS: Partial<Record<IdKind, FindNode>> = {
  User: byItsType,
  UserSession: ({ sessions }, principal, id) => sessions.find(principal, id),
  ApiToken: ({ apiTokens }, principal, id) => apiTokens.find(principal, id),
  Invitation: ({ invitations }, principal, id) => invitations.find(principal, id),
  Project: ({ projects }, principal, id) => projects.find(principal, id),
  Launcher: ({ launchers }, principal, id) => launchers.find(principal, id),
  Run: ({ runs }, principal, id) => runs.find(principal, id),
  Artifact: ({ artifacts }, principal, id) => artifacts.find(principal, id),
  Dataset: ({ datasets }, principal, id) => datasets.find(principal, id),
  Deployment: ({ deployments }, principal, id) => deployments.find(principal, id),
  ComputeNode: ({ computeNodes }, principal, id) => computeNodes.find(principal, id),
  DatasetFile: ({ datasets }, principal, id) => datasets.findFile(principal, id),
  AlertRule: ({ alertRules }, principal, id) => alertRules.find(principal, id),
  Alert: ({ alerts }, principal, id) => alerts.find(principal, id),
  Webhook: ({ webhooks }, principal, id) => webhooks.find(principal, id),
  AuditEvent: byItsType,
}
