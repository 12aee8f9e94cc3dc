import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { DeploymentType } from '../deployments/schema.ts'
import { RunType } from '../runs/schema.ts'
import { NODE_OPERATIONS, type NodeOperation } from './inputs.ts'
import type { ComputeNodeOperation } from './operations.ts'
import type { DeploymentOutcome, RunOutcome } from './restarts.ts'
import { ComputeNodeObject, ComputeNodeTypeEnum, LabelInput } from './schema.ts'

const OperationEnum = builder.enumType('ComputeNodeOperationKind', {
  description: `What can be done with what a compute node has: ${NODE_OPERATIONS.join(', ')}.`,
  values: {
    START: { description: 'It takes new work.' },
    STOP: { description: 'It takes no new work, and what it has is ended.' },
    RESTART: {
      description:
        'What it has is ended and started again: runs go on from their newest checkpoint where they have one. It takes new work.',
    },
    DRAIN: { description: 'It takes no new work, and goes on with what it has.' },
  } satisfies Record<NodeOperation, object>,
})

const RunOutcomeEnum = builder.enumType('ComputeNodeRunOutcome', {
  description: 'What became of a run on a compute node that something was done with.',
  values: {
    UNTOUCHED: { description: 'It goes on.' },
    CANCELLING: { description: 'Its processes were asked to end, and are killed after their grace.' },
    ENDED: { description: 'It is over, and was not started again; message says why.' },
    RESUMED: { description: 'It is over, and successor goes on from its newest checkpoint.' },
    STARTED_ANEW: { description: 'It is over, and successor does the same from the beginning.' },
  } satisfies Record<RunOutcome['outcome'], object>,
})

const DeploymentOutcomeEnum = builder.enumType('ComputeNodeDeploymentOutcome', {
  description: 'What became of a deployment on a compute node that something was done with.',
  values: {
    UNTOUCHED: { description: 'It goes on.' },
    STOPPING: { description: 'Its processes were asked to end, and are killed after their grace.' },
    STOPPED: { description: 'It has stopped, and was not started again; message says why.' },
    RESTARTED: { description: 'It has stopped, and is being started again.' },
  } satisfies Record<DeploymentOutcome['outcome'], object>,
})

const OperatedRunType = builder.objectRef<RunOutcome>('ComputeNodeRunResult').implement({
  description: 'What became of a run.',
  fields: (t) => ({
    run: t.prismaField({
      type: RunType,
      nullable: true,
      description: 'The run; null when it was deleted meanwhile.',
      resolve: (query, { runId }, _args, context) =>
        context.services.runs.find(principalOf(context), runId, query),
    }),
    outcome: t.field({
      type: RunOutcomeEnum,
      description: 'What became of it.',
      resolve: ({ outcome }) => outcome,
    }),
    successor: t.prismaField({
      type: RunType,
      nullable: true,
      description: 'The run that goes on with it.',
      resolve: (query, { successorId }, _args, context) =>
        successorId === null ? null : context.services.runs.find(principalOf(context), successorId, query),
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'What else is to be said, for people.',
    }),
  }),
})

const OperatedDeploymentType = builder.objectRef<DeploymentOutcome>('ComputeNodeDeploymentResult').implement({
  description: 'What became of a deployment.',
  fields: (t) => ({
    deployment: t.prismaField({
      type: DeploymentType,
      nullable: true,
      description: 'The deployment; null when it was deleted meanwhile.',
      resolve: (query, { deploymentId }, _args, context) =>
        context.services.deployments.find(principalOf(context), deploymentId, query),
    }),
    outcome: t.field({
      type: DeploymentOutcomeEnum,
      description: 'What became of it.',
      resolve: ({ outcome }) => outcome,
    }),
    message: t.exposeString('message', {
      nullable: true,
      description: 'What else is to be said, for people.',
    }),
  }),
})

const ComputeNodeOperationType = builder.objectRef<ComputeNodeOperation>('ComputeNodeOperation').implement({
  description: 'What an operation came to.',
  fields: (t) => ({
    computeNode: t.prismaField({
      type: ComputeNodeObject,
      nullable: true,
      description: 'The compute node; null when it was deleted meanwhile.',
      resolve: (query, { computeNodeId }, _args, context) =>
        context.services.computeNodes.find(principalOf(context), computeNodeId, query),
    }),
    runs: t.field({
      type: [OperatedRunType],
      description: 'What became of each run that it had.',
      resolve: ({ runs }) => runs,
    }),
    deployments: t.field({
      type: [OperatedDeploymentType],
      description: 'What became of each deployment that it had.',
      resolve: ({ deployments }) => deployments,
    }),
  }),
})

const OperateComputeNodeInput = builder.inputType('OperateComputeNodeInput', {
  description: 'What is to be done with which compute node.',
  fields: (t) => ({
    computeNodeId: t.id({ required: true, description: 'Id of the compute node.' }),
    operation: t.field({ type: OperationEnum, required: true, description: 'What is to be done.' }),
    graceSeconds: t.float({
      description:
        'How long what is ended may take after SIGTERM before it is killed; as the server is set unless given. At most 600 for RESTART, which waits for the end.',
    }),
  }),
})

const UpdateComputeNodeInput = builder.inputType('UpdateComputeNodeInput', {
  description: 'What to change of a compute node. A field that is left out stays as it is; null empties it.',
  fields: (t) => ({
    computeNodeId: t.id({ required: true, description: 'Id of the compute node.' }),
    name: t.string({ description: 'A new name, which no other has.' }),
    type: t.field({ type: ComputeNodeTypeEnum, description: 'What it is there for.' }),
    location: t.string({ description: 'Where it is, in words.' }),
    address: t.string({ description: 'Where what it serves is reached: an address or host name.' }),
    labels: t.field({ type: [LabelInput], description: 'What is said of it; replaces what was.' }),
    maxRuns: t.int({
      description:
        'How many runs may have a process on it at the same time. Fewer than it has ends none. Not of the server’s own machine, whose settings say it.',
    }),
  }),
})

const DeleteComputeNodeInput = builder.inputType('DeleteComputeNodeInput', {
  description: 'The compute node to delete.',
  fields: (t) => ({ computeNodeId: t.id({ required: true, description: 'Id of the compute node.' }) }),
})

builder.mutationFields((t) => ({
  operateComputeNode: t.field({
    type: ComputeNodeOperationType,
    description:
      'Has a compute node take work, finish it, end it, or begin it again. What is ended on one that is not heard of ends when it is back. For administrators.',
    errors: resultUnion('OperateComputeNodeResult', 'What it came to, or why nothing was done.'),
    args: {
      input: t.arg({ type: OperateComputeNodeInput, required: true, description: 'What is to be done.' }),
    },
    resolve: (_root, { input }, context) =>
      context.services.computeNodes.operate(principalOf(context), input),
  }),
  updateComputeNode: t.prismaField({
    type: ComputeNodeObject,
    description: 'Changes what is said of a compute node. For administrators.',
    errors: resultUnion(
      'UpdateComputeNodeResult',
      'The compute node as it is now, or why it was not changed.',
    ),
    args: { input: t.arg({ type: UpdateComputeNodeInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.computeNodes.update(principalOf(context), input, query),
  }),
  deleteComputeNode: t.prismaField({
    type: ComputeNodeObject,
    description:
      'Deletes a compute node that is gone, with its token and what was measured of it; its runs stay. Refused for the server’s own machine, while it is heard of, and while anything is on it or waits for it. For administrators.',
    errors: resultUnion('DeleteComputeNodeResult', 'The compute node as it was, or why it is still there.'),
    args: {
      input: t.arg({
        type: DeleteComputeNodeInput,
        required: true,
        description: 'The compute node to delete.',
      }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.computeNodes.delete(principalOf(context), input, query),
  }),
}))
