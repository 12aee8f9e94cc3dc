import type { Database } from '../../db/database.ts'
import { type LogPage, type LogPageArgs, readLogPage } from '../../streams/log-pages.ts'
import { storedStrings } from '../input.ts'
import { quoteForShell } from '../runs/command.ts'
import { type AddressedNode, serverUrl } from './places/address.ts'
import type { UsageBucket, UsageCounter, UsageRequest } from './usage.ts'

export type DeploymentRecords = ReturnType<typeof createDeploymentRecords>

/** What is known of a deployment besides its row. Whoever has the deployment may read it. */
export function createDeploymentRecords(deps: {
  database: Database
  usage: UsageCounter
  /** The address that model servers listen on, on the server's own machine. */
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

    /** Where a model server answers; null without one, or when nobody knows the address of its node. */
    endpoint(server: { node: AddressedNode; port: number } | null): string | null {
      const url = server && serverUrl(server.node, server.port, deps.deploymentHost)
      return url === null ? null : `${url}/v1`
    },
  }
}
