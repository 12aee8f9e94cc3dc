import { NotFoundError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { NODE_STATUSES, type NodeStatus, type NodeType, nodeStatus, toNodeType } from './status.ts'

/** How a compute node stands. */
export const ComputeNodeStatusEnum = builder.enumType('ComputeNodeStatus', {
  description: 'How a compute node stands.',
  values: {
    ONLINE: { description: 'It is heard of, and takes work.' },
    OFFLINE: {
      description: 'It was not heard of for longer than its lease; it is ONLINE again by itself when it is.',
    },
    DRAINING: { description: 'It goes on with the work that it has, and takes none that is new.' },
    STOPPED: { description: 'It has no work and takes none, until it is started.' },
  } satisfies Record<NodeStatus, object>,
})

/** What a compute node is there for. */
export const ComputeNodeTypeEnum = builder.enumType('ComputeNodeType', {
  description:
    'What a compute node is there for. It is a label for people: what it runs does not depend on it.',
  values: {
    CONTROL: { description: 'The machine of the server itself, which needs no agent.' },
    SERVER: { description: 'A machine of a data centre, such as a GPU server.' },
    EDGE: { description: 'A machine at the edge, such as a box behind NAT.' },
    GATEWAY: { description: 'A machine that stands between networks.' },
    PEER: { description: 'The machine of somebody else, such as of a partner.' },
  } satisfies Record<NodeType, object>,
})

/** A label of a node. */
export const ComputeNodeLabelType = builder
  .objectRef<{ name: string; value: string }>('ComputeNodeLabel')
  .implement({
    description: 'Something that is said of a compute node, for runs and deployments to ask for.',
    fields: (t) => ({
      name: t.exposeString('name', { description: 'What it is about, such as zone.' }),
      value: t.exposeString('value', { description: 'What is said, such as eu-1.' }),
    }),
  })

/** A label that is given, or asked for. */
export const LabelInput = builder.inputType('LabelInput', {
  description: 'A label of a compute node.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is about, such as zone.' }),
    value: t.string({ required: true, description: 'What is said, such as eu-1.' }),
  }),
})

/** A compute node. */
export const ComputeNodeObject = builder.prismaNode('ComputeNode', {
  description:
    'A machine that runs what it is given: runs and deployments. The server’s own needs nothing; every other one runs the agent.',
  id: { field: 'id' },
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Its name, which no other has; the host name unless given.',
    }),
    type: t.field({
      type: ComputeNodeTypeEnum,
      description: 'What it is there for.',
      resolve: ({ type }) => toNodeType(type),
    }),
    status: t.field({ type: ComputeNodeStatusEnum, description: 'How it stands.', resolve: nodeStatus }),
    location: t.exposeString('location', { nullable: true, description: 'Where it is, in words.' }),
    address: t.exposeString('address', {
      nullable: true,
      description: 'Where what it serves is reached: an address or host name; null for the server’s own.',
    }),
    labels: t.field({
      type: [ComputeNodeLabelType],
      description: 'What is said of it, by name.',
      select: { labels: { orderBy: { name: 'asc' } } },
      resolve: ({ labels }) => labels,
    }),
    maxRuns: t.exposeInt('maxRuns', {
      description: 'How many runs may have a process on it at the same time.',
    }),
    hardware: t.expose('hardware', {
      type: 'JSON',
      description:
        'What the machine is: hostname, operating system, CPU, memory, disks and GPUs, with versions; sizes are in bytes.',
    }),
    version: t.exposeString('agentVersion', {
      nullable: true,
      description: 'The version of Trainyard that it runs.',
    }),
    lastSeenAt: t.expose('lastSeenAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last heard of, to a few seconds.',
    }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its agent, or the server, last started.',
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it first came.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When what is known of it last changed.',
    }),
  }),
})

const ComputeNodeConnection = builder.connectionObject(
  { type: ComputeNodeObject, name: 'ComputeNodeConnection', description: 'A page of compute nodes.' },
  { name: 'ComputeNodeEdge', description: 'A compute node on a page.' },
)

/** Which nodes. */
export const ComputeNodeFilterInput = builder.inputType('ComputeNodeFilter', {
  description: 'Which compute nodes: those that match everything given.',
  fields: (t) => ({
    status: t.field({
      type: ComputeNodeStatusEnum,
      description: `Only of this status: ${NODE_STATUSES.join(', ')}.`,
    }),
    type: t.field({ type: ComputeNodeTypeEnum, description: 'Only of this type.' }),
    search: t.string({ description: 'Only with this text in their name or location.' }),
    labels: t.field({ type: [LabelInput], description: 'Only with all of these labels.' }),
  }),
})

builder.queryFields((t) => ({
  computeNode: t.prismaField({
    type: ComputeNodeObject,
    nullable: true,
    description: 'A compute node; null when there is none.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, context) =>
      context.services.computeNodes.find(principalOf(context), id, query),
  }),
  computeNodes: t.prismaConnection(
    {
      type: ComputeNodeObject,
      cursor: 'id',
      description: 'Compute nodes, the latest first.',
      args: {
        filter: t.arg({
          type: ComputeNodeFilterInput,
          description: 'Which compute nodes; all unless given.',
        }),
      },
      totalCount: (_root, { filter }, context) =>
        context.services.computeNodes.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.computeNodes.list(principalOf(context), filter, query),
    },
    ComputeNodeConnection,
  ),
}))

builder.subscriptionFields((t) => ({
  computeNodeUpdated: t.prismaField({
    type: ComputeNodeObject,
    description:
      'Compute nodes as they are now, then at every change of one, but for being heard of: the one named, or all. A slow reader gets the latest state, not every one in between.',
    args: { computeNodeId: t.arg.id({ description: 'One compute node.' }) },
    subscribe: (_root, args, context) =>
      context.services.computeNodeWatcher.updates(principalOf(context), args),
    resolve: async (query, { id }, _args, context) => {
      const node = await context.services.computeNodes.find(principalOf(context), id, query)
      if (!node) throw new NotFoundError('compute node', id)
      return node
    },
  }),
}))
