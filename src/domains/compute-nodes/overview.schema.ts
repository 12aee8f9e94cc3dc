import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { DeploymentStatusEnum } from '../deployments/schema.ts'
import { ProjectType } from '../projects/schema.ts'
import { RunStatusCountType } from '../runs/schema.ts'
import type { Overview } from './overview.ts'
import { ComputeNodeObject, ComputeNodeStatusEnum } from './schema.ts'

const DeploymentStatusCountType = builder
  .objectRef<Overview['deploymentCounts'][number]>('DeploymentStatusCount')
  .implement({
    description: 'How many deployments have a status.',
    fields: (t) => ({
      status: t.expose('status', { type: DeploymentStatusEnum, description: 'The status.' }),
      count: t.exposeInt('count', { description: 'How many have it.' }),
    }),
  })

const ComputeNodeStatusCountType = builder
  .objectRef<Overview['nodeCounts'][number]>('ComputeNodeStatusCount')
  .implement({
    description: 'How many compute nodes have a status.',
    fields: (t) => ({
      status: t.expose('status', { type: ComputeNodeStatusEnum, description: 'The status.' }),
      count: t.exposeInt('count', { description: 'How many have it.' }),
    }),
  })

const ProjectComputeNodesType = builder
  .objectRef<Overview['nodesPerProject'][number]>('ProjectComputeNodes')
  .implement({
    description: 'The compute nodes that runs of a project are on.',
    fields: (t) => ({
      project: t.field({
        type: ProjectType,
        description: 'The project.',
        resolve: ({ project }) => project,
      }),
      computeNodes: t.field({
        type: [ComputeNodeObject],
        description: 'The compute nodes that have a run of it now, by name.',
        resolve: ({ computeNodes }) => computeNodes,
      }),
    }),
  })

const OverviewType = builder.objectRef<Overview>('Overview').implement({
  description: 'How everything stands that you may see.',
  fields: (t) => ({
    runCounts: t.field({
      type: [RunStatusCountType],
      description: 'Runs by status; those that none has are left out.',
      resolve: ({ runCounts }) => runCounts,
    }),
    deploymentCounts: t.field({
      type: [DeploymentStatusCountType],
      description: 'Deployments by status; those that none has are left out.',
      resolve: ({ deploymentCounts }) => deploymentCounts,
    }),
    nodeCounts: t.field({
      type: [ComputeNodeStatusCountType],
      description: 'Compute nodes by status; those that none has are left out.',
      resolve: ({ nodeCounts }) => nodeCounts,
    }),
    queued: t.int({
      description: 'How many runs wait for their place.',
      resolve: ({ runCounts }) => runCounts.find(({ status }) => status === 'QUEUED')?.count ?? 0,
    }),
    nodesPerProject: t.field({
      type: [ProjectComputeNodesType],
      description: 'The projects that have runs on compute nodes now, with these.',
      resolve: ({ nodesPerProject }) => nodesPerProject,
    }),
    averageCpuUsage: t.exposeFloat('averageCpuUsage', {
      nullable: true,
      description:
        'How busy the processors of the compute nodes that are heard of are, in percent, each node counting the same; null before any has measured itself.',
    }),
    averageMemoryUsage: t.exposeFloat('averageMemoryUsage', {
      nullable: true,
      description: 'How much of their memory is in use, in percent, in the same way.',
    }),
  }),
})

builder.queryField('overview', (t) =>
  t.field({
    type: OverviewType,
    description: 'How everything stands that you may see.',
    resolve: (_root, _args, context) => context.services.overview.read(principalOf(context)),
  }),
)
