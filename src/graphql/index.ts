import type { GraphQLSchema } from 'graphql'
import '../domains/accounts/schema.ts'
import '../domains/accounts/statistics.schema.ts'
import '../domains/artifacts/schema.ts'
import '../domains/audit/schema.ts'
import '../domains/compute-nodes/schema.ts'
import '../domains/compute-nodes/agents/schema.ts'
import '../domains/compute-nodes/telemetry/schema.ts'
import '../domains/datasets/schema.ts'
import '../domains/datasets/mutations.ts'
import '../domains/deployments/schema.ts'
import '../domains/deployments/engines.schema.ts'
import '../domains/deployments/mutations.ts'
import '../domains/deployments/subscriptions.ts'
import '../domains/projects/schema.ts'
import '../domains/launchers/schema.ts'
import '../domains/projects/members.schema.ts'
import '../domains/projects/mutations.ts'
import '../domains/runs/schema.ts'
import '../domains/runs/mutations.ts'
import '../domains/runs/subscriptions.ts'
import '../domains/server-info/schema.ts'
import { builder } from './builder.ts'

/** The whole API: every domain that is imported above has added its part. */
export function toSchema(): GraphQLSchema {
  return builder.toSchema({ sortSchema: true })
}
