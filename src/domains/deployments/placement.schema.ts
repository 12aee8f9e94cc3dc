import { builder } from '../../graphql/builder.ts'
import { ComputeNodeLabelType } from '../compute-nodes/schema.ts'
import { settingsOf } from './settings.ts'

/** What a deployment asks of its place. */
export const DeploymentPlacementType = builder.prismaObject('Deployment', {
  variant: 'DeploymentPlacement',
  description:
    "What a deployment asks of the compute node that serves it; when it asks for nothing, that is the server's own.",
  fields: (t) => ({
    node: t.relation('wantedNode', {
      nullable: true,
      description: 'The compute node that it must be; null for any that has the labels.',
    }),
    labels: t.field({
      type: [ComputeNodeLabelType],
      description: 'What must be said of it.',
      resolve: (deployment) =>
        Object.entries(settingsOf(deployment).wantedLabels).map(([name, value]) => ({ name, value })),
    }),
  }),
})
