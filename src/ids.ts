import { typeid } from 'typeid-js'

/** The prefix of each kind of id: ids say what they are and, by their UUIDv7, when they were made; nothing more. */
export const ID_PREFIX = {
  User: 'usr',
  UserSession: 'ses',
  Invitation: 'inv',
  ApiToken: 'tok',
  Project: 'prj',
  ProjectMember: 'mem',
  ProjectVersion: 'pv',
  Dataset: 'ds',
  DatasetFile: 'file',
  Run: 'run',
  Artifact: 'art',
  Launcher: 'lch',
  Engine: 'eng',
  Deployment: 'dep',
  ModelServer: 'msv',
  ComputeNode: 'node',
  Execution: 'exe',
  AlertRule: 'rule',
  Alert: 'alert',
  Webhook: 'hook',
  WebhookDelivery: 'dlv',
  AuditEvent: 'aud',
} as const

/** The things that have an id. */
export type IdKind = keyof typeof ID_PREFIX

const KIND_BY_PREFIX = new Map(
  Object.entries(ID_PREFIX).map(([kind, prefix]) => [prefix as string, kind as IdKind]),
)

/** A new id, e.g. `run_01jd…`: a TypeID, so ids of a kind sort by the time they were made. */
export function newId(kind: IdKind): string {
  return typeid(ID_PREFIX[kind]).toString()
}

/** What kind of thing an id names, or null when it is no id of ours. */
export function kindOfId(id: string): IdKind | null {
  const match = /^([a-z]+)_[0-7][0-9a-hjkmnp-tv-z]{25}$/.exec(id)
  return KIND_BY_PREFIX.get(match?.[1] ?? '') ?? null
}
