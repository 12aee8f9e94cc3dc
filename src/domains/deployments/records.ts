import type { Database } from '../../db/database.ts'
import { localUrl } from '../../local-url.ts'
import { type LogPage, type LogPageArgs, readLogPage } from '../../streams/log-pages.ts'
import { storedStrings } from '../input.ts'
import { quoteForShell } from '../runs/command.ts'
import type { UsageBucket, UsageCounter, UsageRequest } from './usage.ts'

export type DeploymentRecords = ReturnType<typeof createDeploymentRecords>

/** What is known of a deployment besides its row. Whoever has the deployment may read it. */
export function createDeploymentRecords(deps: {
  database: Database
  usage: UsageCounter
  /** The address that model servers listen on. */
  deploymentHost: string
}) {
  return {
    /** A page of its log. @throws ValidationError for a cursor of another stream */
    logs: (deployment: { logStreamId: number }, args: LogPageArgs): Promise<LogPage> =>
      readLogPage(deps.database, deployment.logStreamId, args),

    /** What was asked of it. @throws ValidationError when the request is out of range */
    usage: (deployment: { id: string }, request: UsageRequest): Promise<UsageBucket[]> =>
      deps.usage.series(deployment, request),

    /** The command of a model server, quoted for a shell; null without one. */
    commandOf: (server: { argv: unknown } | null): string | null =>
      server && quoteForShell(storedStrings(server.argv)),

    /** Where what listens on a port answers. */
    endpoint: (port: number): string => `${localUrl(deps.deploymentHost, port)}/v1`,
  }
}
