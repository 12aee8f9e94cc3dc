import { builder } from '../../../graphql/builder.ts'
import { principalOf } from '../../../graphql/context.ts'
import { resultUnion } from '../../../graphql/errors.ts'
import { ComputeNodeObject, ComputeNodeTypeEnum, LabelInput } from '../schema.ts'
import type { AgentOrders, Assignment, ExecutionOrder, Wish } from './work.ts'
import { MAX_PIECE_BYTES } from './work.ts'

const WishEnum = builder.enumType('ExecutionWish', {
  description: 'What an agent is to do with an execution.',
  values: {
    RUN: { description: 'Start its command, once, and see it through.' },
    END: { description: 'Ask its processes to end, and kill what is left after the grace.' },
    DISCARD: { description: 'The server is done with it: remove what is left, then releaseExecution.' },
  } satisfies Record<Wish, object>,
})

const OrderType = builder.objectRef<ExecutionOrder>('ExecutionOrder').implement({
  description: 'What an agent is to do with one execution, and how much of it has arrived.',
  fields: (t) => ({
    executionId: t.exposeID('executionId', { description: 'Which execution.' }),
    wish: t.expose('wish', { type: WishEnum, description: 'What to do.' }),
    graceSeconds: t.exposeFloat('graceSeconds', {
      nullable: true,
      description:
        'With END: how long its processes may take to end by themselves, from when this is first heard.',
    }),
    wasStarted: t.exposeBoolean('wasStarted', {
      description:
        'Whether the agent told before that it runs: one that the agent does not know is then lost, not new.',
    }),
    stdoutBytes: t.field({
      type: 'BigInt',
      description: 'How much of its standard output has arrived, in bytes: the next piece begins there.',
      resolve: ({ stdoutBytes }) => BigInt(stdoutBytes),
    }),
    stderrBytes: t.field({
      type: 'BigInt',
      description: 'How much of its standard error has arrived, in bytes.',
      resolve: ({ stderrBytes }) => BigInt(stderrBytes),
    }),
  }),
})

const OrdersType = builder.objectRef<AgentOrders>('AgentOrders').implement({
  description:
    'What an agent is to do. Executions that are not named are none of its business: it leaves them alone.',
  fields: (t) => ({
    leaseSeconds: t.exposeFloat('leaseSeconds', {
      description: 'After how long without a word the node is OFFLINE, in seconds.',
    }),
    telemetrySeconds: t.exposeFloat('telemetrySeconds', {
      description: 'How often it is to measure its machine now, in seconds: often while somebody watches.',
    }),
    executions: t.expose('executions', {
      type: [OrderType],
      description: 'Its executions, the oldest first.',
    }),
  }),
})

const AssignmentFileType = builder
  .objectRef<Assignment['inputs'][number]['files'][number]>('AssignmentFile')
  .implement({
    description: 'A file that a command reads.',
    fields: (t) => ({
      path: t.exposeString('path', { description: 'Its place in the input; empty where that is one file.' }),
      sizeBytes: t.field({
        type: 'BigInt',
        description: 'Its size in bytes.',
        resolve: ({ sizeBytes }) => BigInt(sizeBytes),
      }),
      sha256: t.exposeString('sha256', {
        description: 'Its SHA-256 in lower-case hex: what is there already need not come again.',
      }),
      url: t.exposeString('url', {
        description:
          'Where it is downloaded, in whole or in part: a signed path below the address of the server.',
      }),
    }),
  })

const AssignmentInputType = builder.objectRef<Assignment['inputs'][number]>('AssignmentInput').implement({
  description: 'A file or folder that a command reads.',
  fields: (t) => ({
    path: t.exposeString('path', {
      description: 'Where argv and environment say that it is: an absolute path of the server.',
    }),
    isFolder: t.exposeBoolean('isFolder', { description: 'Whether it is a folder.' }),
    files: t.expose('files', { type: [AssignmentFileType], description: 'Its files.' }),
  }),
})

const AssignmentType = builder.objectRef<Assignment>('Assignment').implement({
  description:
    'A command for an agent to run. Paths are those of the server: what begins with `root`, or with the path of an input, means the place on the node that the agent has for it.',
  fields: (t) => ({
    executionId: t.exposeID('executionId', { description: 'Which execution.' }),
    argv: t.exposeStringList('argv', { description: 'The program and its arguments; never for a shell.' }),
    workingDirectory: t.exposeString('workingDirectory', {
      nullable: true,
      description: 'Where it starts; the working directory of the agent unless given.',
    }),
    environment: t.field({
      type: 'JSON',
      description: 'Variables beside those that commands inherit on the node, by name. They hold secrets.',
      resolve: ({ environment }) => environment,
    }),
    markerName: t.exposeString('markerName', {
      description: 'The variable by which its processes are recognised.',
    }),
    markerValue: t.exposeString('markerValue', { description: 'The value of that variable.' }),
    root: t.exposeString('root', {
      nullable: true,
      description: 'The folder of everything that it has for itself.',
    }),
    output: t.exposeString('output', {
      nullable: true,
      description: 'The folder, under root, whose finished files are brought back; null for none.',
    }),
    inputs: t.expose('inputs', { type: [AssignmentInputType], description: 'What it reads.' }),
  }),
})

const RegisterAgentInput = builder.inputType('RegisterAgentInput', {
  description: 'The machine that an agent runs on.',
  fields: (t) => ({
    name: t.string({
      required: true,
      description: 'The name of its node. One that is registered keeps the name that it has.',
    }),
    installationId: t.string({
      required: true,
      description:
        'A random text in the data folder of the agent, by which it is known again; 16 to 100 characters.',
    }),
    agentVersion: t.string({ required: true, description: 'The version of the agent.' }),
    hardware: t.field({
      type: 'JSON',
      required: true,
      description: 'What the machine is; see ComputeNode.hardware.',
    }),
    type: t.field({
      type: ComputeNodeTypeEnum,
      description: 'What it is there for; SERVER unless given or known.',
    }),
    location: t.string({ description: 'Where it is, in words.' }),
    address: t.string({
      description: 'Where what it serves is reached; the address that it calls from unless given.',
    }),
    labels: t.field({ type: [LabelInput], description: 'What is said of it; labels of other names stay.' }),
    maxRuns: t.int({
      description: 'How many runs may have a process on it at a time; 1 unless given or known.',
    }),
  }),
})

const GpuSampleInput = builder.inputType('GpuSampleInput', {
  description: 'How a GPU does at a moment.',
  fields: (t) => ({
    index: t.int({ required: true, description: 'Its number, as nvidia-smi counts.' }),
    name: t.string({ required: true, description: 'What it is.' }),
    utilization: t.float({ description: 'The part of the time in which something ran on it, in percent.' }),
    memoryUsedBytes: t.field({ type: 'BigInt', description: 'How much of its memory is used, in bytes.' }),
    memoryTotalBytes: t.field({ type: 'BigInt', description: 'How much memory it has, in bytes.' }),
    temperatureCelsius: t.float({ description: 'How warm it is, in °C.' }),
    powerWatts: t.float({ description: 'How much power it draws, in watts.' }),
  }),
})

const TelemetryInput = builder.inputType('TelemetrySampleInput', {
  description: 'How a machine does at a moment; see Telemetry.',
  fields: (t) => ({
    timestamp: t.field({ type: 'DateTime', required: true, description: 'When it was measured.' }),
    cpuUsage: t.float({
      required: true,
      description: 'The part of the time in which its processors had work, in percent.',
    }),
    memoryUsage: t.float({
      required: true,
      description: 'The part of its memory that is in use, in percent.',
    }),
    memoryTotalBytes: t.field({
      type: 'BigInt',
      required: true,
      description: 'How much memory it has, in bytes.',
    }),
    diskUsage: t.float({ description: 'How full the disk of its agent is, in percent.' }),
    networkRxBytesPerSecond: t.float({ description: 'What comes in, in bytes per second.' }),
    networkTxBytesPerSecond: t.float({ description: 'What goes out, in bytes per second.' }),
    gpus: t.field({ type: [GpuSampleInput], required: true, description: 'Its GPUs.' }),
  }),
})

const HeartbeatInput = builder.inputType('SendHeartbeatInput', {
  description: 'A word of an agent.',
  fields: (t) => ({
    sample: t.field({ type: TelemetryInput, description: 'How its machine does.' }),
    hardware: t.field({ type: 'JSON', description: 'What its machine is, when that has changed.' }),
  }),
})

const ExecutionStateEnum = builder.enumType('ExecutionState', {
  description: 'What became of a command.',
  values: {
    STARTING: { value: 'starting', description: 'It does not run yet.' },
    RUNNING: { value: 'running', description: 'It runs, or what it left behind is being ended or brought.' },
    EXITED: {
      value: 'exited',
      description: 'It has ended, and all that it printed and left has been brought.',
    },
    WITHDRAWN: { value: 'withdrawn', description: 'It was to end before it was started.' },
    FAILED: { value: 'failed', description: 'It could not be started.' },
    LOST: { value: 'lost', description: 'How it ended cannot be known.' },
  },
})

const ReportInput = builder.inputType('ExecutionReportInput', {
  description: 'What became of a command. Which fields there are depends on the state.',
  fields: (t) => ({
    state: t.field({ type: ExecutionStateEnum, required: true, description: 'The state.' }),
    pid: t.int({ description: 'RUNNING: its process.' }),
    supervised: t.boolean({ description: 'RUNNING: whether how it ends will be known.' }),
    startedAt: t.field({ type: 'DateTime', description: 'RUNNING, EXITED: when it was started.' }),
    endedAt: t.field({ type: 'DateTime', description: 'EXITED, WITHDRAWN, FAILED: when it ended.' }),
    exitCode: t.int({ description: 'EXITED: its exit code; null when a signal ended it.' }),
    signal: t.string({ description: 'EXITED: the name of the signal that ended it.' }),
    reason: t.string({ description: 'FAILED, LOST: why, for people.' }),
    endRequestedAt: t.field({
      type: 'DateTime',
      description: 'EXITED, WITHDRAWN, LOST: when it was asked to end; null when it ended by itself.',
    }),
    killed: t.boolean({ description: 'EXITED, LOST: whether any process had to be killed.' }),
    unfinishedFiles: t.stringList({
      description:
        'EXITED, LOST: files, as paths under `output`, that were being written when that happened.',
    }),
  }),
})

const PieceInput = builder.inputType('OutputPieceInput', {
  description: 'A piece of what a command printed, byte for byte. What has arrived before is left out.',
  fields: (t) => ({
    offset: t.field({
      type: 'BigInt',
      required: true,
      description: 'Where it begins, in bytes from the beginning of the output.',
    }),
    bytes: t.string({
      required: true,
      description: `The bytes in base64, at most ${MAX_PIECE_BYTES} of them.`,
    }),
    writtenAt: t.field({ type: 'DateTime', required: true, description: 'When the last of it was printed.' }),
  }),
})

const ReportExecutionInput = builder.inputType('ReportExecutionInput', {
  description: 'How an execution goes.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Which execution.' }),
    report: t.field({
      type: ReportInput,
      description: 'What became of it. After an end nothing more is taken.',
    }),
    stdout: t.field({ type: PieceInput, description: 'What it printed to standard output.' }),
    stderr: t.field({ type: PieceInput, description: 'What it printed to standard error.' }),
  }),
})

const UploadExecutionFileInput = builder.inputType('UploadExecutionFileInput', {
  description: 'A piece of a file that belongs to a result.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Whose result.' }),
    sha256: t.string({ required: true, description: 'The SHA-256 of the whole file in lower-case hex.' }),
    sizeBytes: t.field({
      type: 'BigInt',
      required: true,
      description: 'The size of the whole file in bytes.',
    }),
    offset: t.field({ type: 'BigInt', required: true, description: 'Where the piece begins, in bytes.' }),
    chunk: t.field({ type: 'Upload', required: true, description: 'The bytes of the piece.' }),
  }),
})

const UploadType = builder.objectRef<{ receivedBytes: number }>('ExecutionFileUpload').implement({
  description: 'How far the upload of a file has come.',
  fields: (t) => ({
    receivedBytes: t.field({
      type: 'BigInt',
      description: 'How much of it is there, in bytes: the next piece begins there.',
      resolve: ({ receivedBytes }) => BigInt(receivedBytes),
    }),
  }),
})

const ResultFileInput = builder.inputType('ResultFileInput', {
  description: 'A file that belongs to a result.',
  fields: (t) => ({
    path: t.string({ required: true, description: 'Its place in the result; empty where that is one file.' }),
    sizeBytes: t.field({ type: 'BigInt', required: true, description: 'Its size in bytes.' }),
    sha256: t.string({ required: true, description: 'Its SHA-256 in lower-case hex.' }),
  }),
})

const PutResultInput = builder.inputType('PutExecutionResultInput', {
  description: 'Something that a command left in its output folder and does not write to any more.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Whose result.' }),
    name: t.string({ required: true, description: 'Its path in the output folder, such as checkpoint-10.' }),
    isFolder: t.boolean({ required: true, description: 'Whether it is a folder.' }),
    files: t.field({ type: [ResultFileInput], required: true, description: 'Its files.' }),
  }),
})

const MissingFileType = builder
  .objectRef<{ file: { path: string; sha256: string }; arrivedBytes: number }>('MissingResultFile')
  .implement({
    description: 'A file of a result that has to be uploaded.',
    fields: (t) => ({
      path: t.string({ description: 'Its place in the result.', resolve: ({ file }) => file.path }),
      sha256: t.string({ description: 'Its SHA-256.', resolve: ({ file }) => file.sha256 }),
      receivedBytes: t.field({
        type: 'BigInt',
        description: 'How much of it is there, in bytes.',
        resolve: ({ arrivedBytes }) => BigInt(arrivedBytes),
      }),
    }),
  })

const ResultType = builder
  .objectRef<{ missing: { file: { path: string; sha256: string }; arrivedBytes: number }[] }>(
    'ExecutionResult',
  )
  .implement({
    description: 'What became of a result.',
    fields: (t) => ({
      missing: t.expose('missing', {
        type: [MissingFileType],
        description: 'What has to be uploaded first; empty when the result is in its place.',
      }),
    }),
  })

const RemoveResultsInput = builder.inputType('RemoveExecutionResultsInput', {
  description: 'Results that the command has deleted.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Whose results.' }),
    names: t.stringList({ required: true, description: 'Their paths in the output folder.' }),
  }),
})

const RemovedType = builder.objectRef<{ names: string[] }>('RemovedResults').implement({
  description: 'What was removed.',
  fields: (t) => ({
    names: t.exposeStringList('names', {
      description: 'Those that were removed: what people have tagged stays.',
    }),
  }),
})

const ReleaseInput = builder.inputType('ReleaseExecutionInput', {
  description: 'An execution of which nothing is left on the node.',
  fields: (t) => ({ executionId: t.id({ required: true, description: 'Which execution.' }) }),
})

const ReleasedType = builder.objectRef<{ executionId: string }>('ReleasedExecution').implement({
  description: 'An execution that is over on both sides.',
  fields: (t) => ({ executionId: t.exposeID('executionId', { description: 'Which it was.' }) }),
})

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
