import { builder } from '../../../graphql/builder.ts'
import { principalOf } from '../../../graphql/context.ts'
import { resultUnion } from '../../../graphql/errors.ts'
import { ComputeNodeObject } from '../schema.ts'
import {
  HeartbeatInput,
  PutResultInput,
  RegisterAgentInput,
  ReleaseInput,
  RemoveResultsInput,
  ReportExecutionInput,
  UploadExecutionFileInput,
} from './inputs.schema.ts'
import {
  AssignmentType,
  OrdersType,
  OrderType,
  ReleasedType,
  RemovedType,
  ResultType,
  UploadType,
} from './orders.schema.ts'

builder.queryFields((t) => ({
  assignment: t.field({
    type: AssignmentType,
    description: 'For agents: the command of an execution that was given to their node.',
    args: { executionId: t.arg.id({ required: true, description: 'Which execution.' }) },
    resolve: (_root, { executionId }, context) =>
      context.services.agentWork.assignment(principalOf(context), executionId),
  }),
}))

builder.subscriptionFields((t) => ({
  agentOrders: t.field({
    type: OrdersType,
    description: 'For agents: what to do, at once and whenever that changes. The latest counts.',
    subscribe: (_root, _args, context) => context.services.agentWork.watchOrders(principalOf(context)),
    resolve: (orders) => orders,
  }),
}))

builder.mutationFields((t) => ({
  registerAgent: t.prismaField({
    type: ComputeNodeObject,
    errors: resultUnion('RegisterAgentResult', 'The node that the agent speaks for, or why there is none.'),
    description:
      'For agents: makes the machine a compute node, at every start. The token, of scope AGENT, is bound to the node and the data folder of the agent at its first use.',
    args: { input: t.arg({ type: RegisterAgentInput, required: true, description: 'The machine.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.agentRegistration.register(principalOf(context), input, query),
  }),
  sendHeartbeat: t.field({
    type: OrdersType,
    errors: resultUnion('SendHeartbeatResult', 'What to do, or why the word was not taken.'),
    description: 'For agents: keeps the lease of the node, and brings telemetry.',
    args: { input: t.arg({ type: HeartbeatInput, required: true, description: 'The word.' }) },
    resolve: (_root, { input }, context) => context.services.agentWork.heartbeat(principalOf(context), input),
  }),
  reportExecution: t.field({
    type: OrderType,
    errors: resultUnion('ReportExecutionResult', 'What to do with it now, or why the report was not taken.'),
    description: 'For agents: how an execution goes, with what it printed. May be repeated.',
    args: { input: t.arg({ type: ReportExecutionInput, required: true, description: 'The report.' }) },
    resolve: (_root, { input }, context) =>
      context.services.agentWork.report(principalOf(context), withReport(input)),
  }),
  uploadExecutionFile: t.field({
    type: UploadType,
    errors: resultUnion('UploadExecutionFileResult', 'How far it has come, or why the piece was not taken.'),
    description: 'For agents: brings a piece of a file that belongs to a result. May be repeated.',
    args: { input: t.arg({ type: UploadExecutionFileInput, required: true, description: 'The piece.' }) },
    resolve: async (_root, { input: { chunk, ...input } }, context) => ({
      receivedBytes: await context.services.agentWork.uploadFile(principalOf(context), input, chunk),
    }),
  }),
  putExecutionResult: t.field({
    type: ResultType,
    errors: resultUnion('PutExecutionResultResult', 'What is missing, or why the result was not taken.'),
    description: 'For agents: puts a result into its place, once its files have arrived. May be repeated.',
    args: { input: t.arg({ type: PutResultInput, required: true, description: 'The result.' }) },
    resolve: async (_root, { input }, context) => ({
      missing: await context.services.agentWork.putResult(principalOf(context), input),
    }),
  }),
  removeExecutionResults: t.field({
    type: RemovedType,
    errors: resultUnion('RemoveExecutionResultsResult', 'What was removed, or why nothing was.'),
    description:
      'For agents: removes results that the command has deleted, as scripts do that keep their last checkpoints only.',
    args: { input: t.arg({ type: RemoveResultsInput, required: true, description: 'The results.' }) },
    resolve: async (_root, { input }, context) => ({
      names: await context.services.agentWork.removeResults(principalOf(context), input),
    }),
  }),
  releaseExecution: t.field({
    type: ReleasedType,
    errors: resultUnion('ReleaseExecutionResult', 'The execution, or why it stays.'),
    description: 'For agents: nothing is left on the node of an execution that was to be discarded.',
    args: { input: t.arg({ type: ReleaseInput, required: true, description: 'The execution.' }) },
    resolve: async (_root, { input }, context) => {
      await context.services.agentWork.release(principalOf(context), input)
      return { executionId: input.executionId }
    },
  }),
}))

/** The input with its report in the form of its state: what the state has no use for is left out. */
function withReport(input: typeof ReportExecutionInput.$inferInput) {
  const { report } = input
  if (!report) return input
  const { state, endRequestedAt, killed, unfinishedFiles, ...rest } = report
  return {
    ...input,
    report: {
      ...rest,
      state,
      exitCode: report.exitCode ?? null,
      signal: report.signal ?? null,
      termination: endRequestedAt ? { requestedAt: endRequestedAt } : null,
      cleanup: { killed: killed ?? false, unfinishedFiles: unfinishedFiles ?? [] },
    },
  }
}
