import type { Prisma } from '../../generated/prisma/client.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { ComputeNodeObject } from '../compute-nodes/schema.ts'
import { storedStrings } from '../input.ts'
import { ProjectType } from '../projects/schema.ts'
import { LogConnectionType, LogFilterInput } from '../runs/logs.schema.ts'
import { mayChange } from './access.ts'
import { matchingDeployments } from './filter.ts'
import { DeploymentPlacementType } from './placement.schema.ts'
import { type DeploymentStatus, isActive, toDeploymentStatus } from './status.ts'
import { statusReasonOf } from './status-reason.ts'
import { UsageBucketType } from './usage.schema.ts'
import { MAX_USAGE_POINTS } from './usage.ts'

/** Where a deployment is. */
export const DeploymentStatusEnum = builder.enumType('DeploymentStatus', {
  description: 'Where a deployment is.',
  values: {
    PENDING: { description: 'Has a port and GPUs; its model server waits to be started, or started again.' },
    STARTING: { description: 'Its model server runs and loads the model: it is not healthy yet.' },
    RUNNING: { description: 'Its model server is healthy: it answers requests.' },
    UNHEALTHY: { description: 'Its model server runs, and does not answer its health checks any more.' },
    STOPPING: { description: 'Its processes were asked to end.' },
    STOPPED: { description: 'Nothing of it runs; statusReason says whether the next request loads it.' },
    FAILED: { description: 'It was given up: statusReason says why, with the last lines of its log.' },
  } satisfies Record<DeploymentStatus, object>,
})

/** What is shown of the model servers of a deployment. */
const SERVERS = {
  modelServers: {
    orderBy: { revision: 'desc' },
    select: {
      revision: true,
      phase: true,
      ending: true,
      port: true,
      pid: true,
      argv: true,
      node: { select: { id: true, name: true, address: true, isOnline: true } },
      gpus: { select: { gpu: true }, orderBy: { gpu: 'asc' } },
    },
  },
} satisfies Prisma.DeploymentSelect

type Shown = { phase: string; ending: boolean }

/** Of several model servers the one that answers requests; else the latest. */
function shown<Server extends Shown>(servers: Server[]): Server | null {
  const lasting = servers.filter((server) => !server.ending)
  const serving =
    lasting.find(({ phase }) => phase === 'HEALTHY') ?? lasting.find(({ phase }) => phase === 'UNHEALTHY')
  return serving ?? lasting[0] ?? servers[0] ?? null
}

/** A deployment. */
export const DeploymentType = builder.prismaNode('Deployment', {
  description:
    'A model that is served: a process that answers requests as the API of OpenAI has them, with its log.',
  id: { field: 'id' },
  fields: (t) => ({
    name: t.exposeString('name', {
      description:
        'What clients write as `model`. Several deployments may have the same: requests go to each in turn.',
    }),
    project: t.relation('project', {
      nullable: true,
      description: 'Whose members see it, and whose editors change it; null: everybody signed in uses it.',
    }),
    modelPath: t.exposeString('modelPath', {
      description: 'The file or folder of the model, or its name on the Hugging Face hub.',
    }),
    artifact: t.relation('artifact', {
      nullable: true,
      description: 'The artifact that is served; null when it was given as a path, or is deleted.',
    }),
    modelVersion: t.exposeString('modelVersion', {
      nullable: true,
      description: 'A label for the version; the name of the artifact unless given.',
    }),
    environment: t.exposeString('environment', {
      nullable: true,
      description: 'A label for where it is used, such as staging or production.',
    }),
    tags: t.stringList({
      description: 'Labels of your own, in the order they were given.',
      select: { tags: { select: { value: true }, orderBy: { position: 'asc' } } },
      resolve: ({ tags }) => tags.map((tag) => tag.value),
    }),
    engine: t.exposeString('engine', { description: 'The name of the engine that serves it.' }),
    extraArgs: t.stringList({
      description: 'The arguments that were added to the command of the engine.',
      resolve: (deployment) => storedStrings(deployment.extraArgs),
    }),
    placement: t.variant(DeploymentPlacementType, {
      description: 'Where it was asked to be served.',
    }),
    computeNode: t.field({
      type: ComputeNodeObject,
      nullable: true,
      description: 'Where its model server is; null when there is none.',
      select: (_args, _context, nested) => ({
        modelServers: {
          ...SERVERS.modelServers,
          select: { ...SERVERS.modelServers.select, node: nested(true) },
        },
      }),
      resolve: ({ modelServers }) => shown(modelServers)?.node ?? null,
    }),
    gpuIds: t.intList({
      description:
        'The GPUs of its compute node that are its own now, as nvidia-smi numbers them there; empty without.',
      select: SERVERS,
      resolve: ({ modelServers }) => shown(modelServers)?.gpus.map(({ gpu }) => gpu) ?? [],
    }),
    gpuCount: t.exposeInt('gpuCount', {
      nullable: true,
      description: 'How many GPUs it asks for; null: one where there are any.',
    }),
    preferredGpu: t.exposeInt('preferredGpu', {
      nullable: true,
      description: 'The GPU that it takes when that has room and is free.',
    }),
    port: t.int({
      nullable: true,
      description: 'Where its model server listens; null when there is none.',
      select: SERVERS,
      resolve: ({ modelServers }) => shown(modelServers)?.port ?? null,
    }),
    pid: t.int({
      nullable: true,
      description: 'The process of its model server; null while there is none.',
      select: SERVERS,
      resolve: ({ modelServers }) => shown(modelServers)?.pid ?? null,
    }),
    status: t.field({
      type: DeploymentStatusEnum,
      description: 'Where it is.',
      resolve: (deployment) => toDeploymentStatus(deployment.status),
    }),
    statusReason: t.string({
      nullable: true,
      description:
        'Why it is there; of one that failed, with the last lines of its log; of one that waits for a compute node, that.',
      select: { ...SERVERS, status: true, statusReason: true },
      resolve: statusReasonOf,
    }),
    healthy: t.boolean({
      description: 'Whether it answers requests.',
      resolve: (deployment) => deployment.status === 'RUNNING',
    }),
    restartPending: t.boolean({
      description:
        'Whether a change takes another model server, which is being started while the present one serves.',
      select: SERVERS,
      resolve: ({ modelServers }) => {
        const [latest, ...others] = modelServers.filter((server) => !server.ending)
        return others.length > 0 && latest?.phase !== 'HEALTHY'
      },
    }),
    healthPath: t.exposeString('healthPath', { description: 'Where its health is asked for.' }),
    command: t.string({
      description: 'The exact argv of its model server, quoted for a shell; the last one when there is none.',
      select: { ...SERVERS, command: true },
      resolve: ({ modelServers, command }, _args, { services }) =>
        services.deploymentRecords.commandOf(shown(modelServers)) ?? command,
    }),
    endpoint: t.string({
      nullable: true,
      description:
        'Where its model server answers, e.g. http://127.0.0.1:8100/v1, as seen from the server; from elsewhere, use /v1 of Trainyard itself. Null when it is not there.',
      select: SERVERS,
      resolve: ({ modelServers }, _args, { services }) =>
        services.deploymentRecords.endpoint(shown(modelServers)),
    }),
    logs: t.field({
      type: LogConnectionType,
      description:
        'What its model servers printed, oldest first. Each start begins with a line of Trainyard itself, which says the command.',
      args: {
        ...t.arg.connectionArgs(),
        filter: t.arg({ type: LogFilterInput, description: 'Which lines; all unless given.' }),
      },
      resolve: (deployment, args, { services }) => services.deploymentRecords.logs(deployment, args),
    }),
    usage: t.field({
      type: [UsageBucketType],
      description:
        'What was asked of it through /v1 of Trainyard, oldest first; spans of time without a request are left out.',
      args: {
        since: t.arg({
          type: 'DateTime',
          description: 'From this minute on; a day before `until` unless given.',
        }),
        until: t.arg({ type: 'DateTime', description: 'Up to this minute; now unless given.' }),
        maxPoints: t.arg.int({
          required: true,
          defaultValue: 300,
          description: `The most spans of time, 1 to ${MAX_USAGE_POINTS}: minutes are taken together until they are no more.`,
        }),
      },
      resolve: (deployment, args, { services }) => services.deploymentRecords.usage(deployment, args),
    }),
    restarts: t.exposeInt('restarts', {
      description:
        'How often a process of it crashed and was started again, since it was started on request.',
    }),
    idleUnloadSeconds: t.exposeInt('idleUnloadSeconds', {
      nullable: true,
      description: 'After how long without a request it is unloaded; the next request loads it. Null: never.',
    }),
    lastRequestAt: t.expose('lastRequestAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When a request through /v1 of Trainyard last ended, to a few seconds.',
    }),
    createdBy: t.relation('createdBy', { description: 'Who made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it first became healthy since it was started on request.',
    }),
    stoppedAt: t.expose('stoppedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stopped or failed; null while it is served.',
    }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it last changed.' }),
    canEdit: t.boolean({
      description: 'Whether you may change it: updateDeployment.',
      resolve: (deployment, _args, context) =>
        mayChange(context.services.access, principalOf(context), deployment),
    }),
    canDelete: t.boolean({
      description: 'Whether you may delete it: deleteDeployment.',
      resolve: (deployment, _args, context) =>
        mayChange(context.services.access, principalOf(context), deployment),
    }),
    canStop: t.boolean({
      description: 'Whether it makes sense to stop it, and you may: stopDeployment.',
      resolve: (deployment, _args, context) => {
        const isStoppable = isActive(deployment.status) || deployment.status === 'STOPPING'
        if (!isStoppable && !deployment.unloaded) return false
        return mayChange(context.services.access, principalOf(context), deployment)
      },
    }),
    canStart: t.boolean({
      description: 'Whether it makes sense to start it, and you may: startDeployment.',
      resolve: (deployment, _args, context) => {
        if (!['STOPPED', 'FAILED'].includes(deployment.status)) return false
        return mayChange(context.services.access, principalOf(context), deployment)
      },
    }),
  }),
})

const DeploymentConnection = builder.connectionObject(
  { type: DeploymentType, name: 'DeploymentConnection', description: 'A page of deployments.' },
  { name: 'DeploymentEdge', description: 'A deployment on a page.' },
)

const DeploymentFilter = builder.inputType('DeploymentFilter', {
  description: 'Which deployments: those that match everything given.',
  fields: (t) => ({
    model: t.string({ description: 'Only with this text in their name, model path or version.' }),
    tag: t.string({ description: 'Only with this tag.' }),
    status: t.field({ type: DeploymentStatusEnum, description: 'Only of this status.' }),
    project: t.string({ description: 'Only in this project: its id or name.' }),
    environment: t.string({ description: 'Only of this environment.' }),
    computeNode: t.string({ description: 'Only with a model server on this compute node: its id or name.' }),
  }),
})

builder.prismaObjectField(ProjectType, 'deployments', (t) =>
  t.relatedConnection(
    'deployments',
    {
      cursor: 'id',
      totalCount: true,
      description: 'The deployments in it, the latest first.',
      args: {
        filter: t.arg({ type: DeploymentFilter, description: 'Which deployments; all unless given.' }),
      },
      query: ({ filter }) => ({ where: matchingDeployments(filter), orderBy: { id: 'desc' } }),
    },
    DeploymentConnection,
  ),
)

builder.queryFields((t) => ({
  deployment: t.prismaField({
    type: DeploymentType,
    nullable: true,
    description: 'A deployment; null when there is none, or not for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, context) =>
      context.services.deployments.find(principalOf(context), id, query),
  }),
  deployments: t.prismaConnection(
    {
      type: DeploymentType,
      cursor: 'id',
      description: 'Deployments that you may use, the latest first.',
      args: {
        filter: t.arg({ type: DeploymentFilter, description: 'Which deployments; all unless given.' }),
      },
      totalCount: (_root, { filter }, context) =>
        context.services.deployments.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.deployments.list(principalOf(context), filter, query),
    },
    DeploymentConnection,
  ),
}))
