import type { AccountServices } from '../domains/accounts/create.ts'
import type { Origin, Principal } from '../domains/accounts/principal.ts'
import type { AlertServices } from '../domains/alerts/create.ts'
import type { ArtifactService } from '../domains/artifacts/service.ts'
import type { AuditExports } from '../domains/audit/export.ts'
import type { AuditService } from '../domains/audit/service.ts'
import type { AgentRegistration } from '../domains/compute-nodes/agents/registration.ts'
import type { AgentWork } from '../domains/compute-nodes/agents/work.ts'
import type { OverviewService } from '../domains/compute-nodes/overview.ts'
import type { ComputeNodeService } from '../domains/compute-nodes/service.ts'
import type { TelemetryService } from '../domains/compute-nodes/telemetry/service.ts'
import type { ComputeNodeWatcher } from '../domains/compute-nodes/watch.ts'
import type { DatasetService } from '../domains/datasets/service.ts'
import type { DeploymentServices } from '../domains/deployments/deployments.ts'
import type { LauncherService } from '../domains/launchers/service.ts'
import type { ProjectAccess } from '../domains/projects/access.ts'
import type { MemberService } from '../domains/projects/members.ts'
import type { ProjectService } from '../domains/projects/service.ts'
import type { RunRecords } from '../domains/runs/records.ts'
import type { ReportingService } from '../domains/runs/reporting.ts'
import type { RunService } from '../domains/runs/service.ts'
import type { RunWatcher } from '../domains/runs/watch.ts'
import type { ServerInfoService } from '../domains/server-info/service.ts'
import { UnauthenticatedError } from '../errors.ts'
import type { PrismaClient } from '../generated/prisma/client.ts'

/** The services that resolvers call. */
export interface Services extends AccountServices, AlertServices, DeploymentServices {
  access: ProjectAccess
  projects: ProjectService
  members: MemberService
  launchers: LauncherService
  datasets: DatasetService
  computeNodes: ComputeNodeService
  agentRegistration: AgentRegistration
  agentWork: AgentWork
  computeNodeWatcher: ComputeNodeWatcher
  telemetry: TelemetryService
  overview: OverviewService
  artifacts: ArtifactService
  runs: RunService
  runRecords: RunRecords
  runWatcher: RunWatcher
  reporting: ReportingService
  serverInfo: ServerInfoService
  audit: AuditService
  auditExports: AuditExports
}

/** Makes signed, absolute links to what can be downloaded. */
export type DownloadLink = (kind: 'artifacts' | 'dataset-files', id: string, filename: string) => string

/** The cookie in which a browser keeps its sign-in. On a WebSocket there is none to read, and none can be set. */
export interface SessionCookie {
  /** The refresh token that came with the request; null when there is none, or a foreign page sent it. */
  read(): string | null
  set(refreshToken: string, expiresAt: Date): void
  clear(): void
}

/** Through this Pothos loads the relations of what a service returned. Resolvers call services. */
export const RELATIONS = Symbol('the client that Pothos loads relations with')

/** What a resolver has besides its arguments. */
export interface Context {
  /** Who asks; null when they did not say, or not validly. */
  principal: Principal | null
  /** Why what they said of themselves does not count; null when it does, or they said nothing. */
  refusal: UnauthenticatedError | null
  origin: Origin
  sessionCookie: SessionCookie
  services: Services
  downloadLink: DownloadLink
  [RELATIONS]: PrismaClient
}

/** Who asks. @throws UnauthenticatedError when they did not say, or not validly */
export function principalOf(context: Context): Principal {
  if (context.principal) return context.principal
  throw (
    context.refusal ??
    new UnauthenticatedError('Sign in first: send an access token or an API token as a bearer token.')
  )
}
