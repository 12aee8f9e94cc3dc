/** Where a deployment is. */
export const DEPLOYMENT_STATUSES = [
  'PENDING',
  'STARTING',
  'RUNNING',
  'UNHEALTHY',
  'STOPPING',
  'STOPPED',
  'FAILED',
] as const
export type DeploymentStatus = (typeof DEPLOYMENT_STATUSES)[number]

/**
 * The one table of what may follow what, which README.md draws; a status that is not named here as a successor is
 * never written. STOPPED and FAILED are left only when somebody, or a request for the model, starts it again.
 */
export const DEPLOYMENT_TRANSITIONS: Record<DeploymentStatus, readonly DeploymentStatus[]> = {
  PENDING: ['STARTING', 'STOPPING', 'FAILED'],
  STARTING: ['PENDING', 'RUNNING', 'STOPPING', 'FAILED'],
  RUNNING: ['UNHEALTHY', 'STARTING', 'PENDING', 'STOPPING', 'FAILED'],
  UNHEALTHY: ['RUNNING', 'STARTING', 'PENDING', 'STOPPING', 'FAILED'],
  STOPPING: ['STOPPED'],
  STOPPED: ['PENDING'],
  FAILED: ['PENDING'],
}

/** The statuses of a deployment that is, or is to be, served. */
export const ACTIVE_STATUSES: DeploymentStatus[] = ['PENDING', 'STARTING', 'RUNNING', 'UNHEALTHY']

/** Whether a deployment is, or is to be, served. */
export function isActive(status: string): boolean {
  return ACTIVE_STATUSES.some((active) => active === status)
}

/** The statuses from which one may be reached. */
export function predecessorsOf(status: DeploymentStatus): DeploymentStatus[] {
  return DEPLOYMENT_STATUSES.filter((before) => DEPLOYMENT_TRANSITIONS[before].includes(status))
}

/** A stored status; the database holds nothing else. */
export function toDeploymentStatus(status: string): DeploymentStatus {
  const known = DEPLOYMENT_STATUSES.find((candidate) => candidate === status)
  if (!known) throw new Error(`The database holds an unknown deployment status ${status}.`)
  return known
}

/** Where a model server is: it waits to be launched, was launched, answers its health checks, or does not any more. */
export type ModelServerPhase = 'WAITING' | 'LAUNCHED' | 'HEALTHY' | 'UNHEALTHY'

/** What of a model server decides the status of its deployment. */
export interface ModelServerState {
  phase: string
  ending: boolean
}

/** The status of an active deployment that has these model servers: that of the best of them. */
export function statusOfServers(servers: ModelServerState[]): DeploymentStatus {
  const phases = servers.filter((server) => !server.ending).map((server) => server.phase)
  const has = (phase: ModelServerPhase) => phases.includes(phase)
  if (has('HEALTHY')) return 'RUNNING'
  if (has('UNHEALTHY')) return 'UNHEALTHY'
  return has('LAUNCHED') ? 'STARTING' : 'PENDING'
}
