import { NotFoundError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { LogBatchType, LogFilterInput } from '../runs/logs.schema.ts'
import { DeploymentType } from './schema.ts'

builder.subscriptionFields((t) => ({
  deploymentUpdated: t.prismaField({
    type: DeploymentType,
    description:
      'Deployments as they are now, then at every change: the one named, which ends the stream when it is deleted, or all that you may use. A slow reader gets the latest state, not every one in between.',
    args: { deploymentId: t.arg.id({ description: 'One deployment.' }) },
    subscribe: (_root, args, context) =>
      context.services.deploymentWatcher.updates(principalOf(context), args),
    resolve: async (query, { id }, _args, context) => {
      const deployment = await context.services.deployments.find(principalOf(context), id, query)
      if (!deployment) throw new NotFoundError('deployment', id)
      return deployment
    },
  }),
  deploymentLogs: t.field({
    type: LogBatchType,
    description:
      'The log of a deployment: what is stored behind the cursor, then live, with no gap and no repeat, through restarts, stops and starts. Ends when the deployment is deleted. A filter that matches nothing delivers nothing.',
    args: {
      deploymentId: t.arg.id({ required: true, description: 'The deployment.' }),
      after: t.arg.string({
        description:
          'A cursor from an earlier message or query: only what is behind it. From the beginning unless given.',
      }),
      filter: t.arg({ type: LogFilterInput, description: 'Which lines; all unless given.' }),
    },
    subscribe: (_root, args, context) => context.services.deploymentWatcher.logs(principalOf(context), args),
    resolve: (batch) => batch,
  }),
}))
