import { builder } from '../../../graphql/builder.ts'
import { ComputeNodeTypeEnum, LabelInput } from '../schema.ts'
import { MAX_PIECE_BYTES } from './requests.ts'

/** For registerAgent. */
export const RegisterAgentInput = builder.inputType('RegisterAgentInput', {
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

/** For sendHeartbeat. */
export const HeartbeatInput = builder.inputType('SendHeartbeatInput', {
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

/** For reportExecution. */
export const ReportExecutionInput = builder.inputType('ReportExecutionInput', {
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

/** For uploadExecutionFile. */
export const UploadExecutionFileInput = builder.inputType('UploadExecutionFileInput', {
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

const ResultFileInput = builder.inputType('ResultFileInput', {
  description: 'A file that belongs to a result.',
  fields: (t) => ({
    path: t.string({ required: true, description: 'Its place in the result; empty where that is one file.' }),
    sizeBytes: t.field({ type: 'BigInt', required: true, description: 'Its size in bytes.' }),
    sha256: t.string({ required: true, description: 'Its SHA-256 in lower-case hex.' }),
  }),
})

/** For putExecutionResult. */
export const PutResultInput = builder.inputType('PutExecutionResultInput', {
  description: 'Something that a command left in its output folder and does not write to any more.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Whose result.' }),
    name: t.string({ required: true, description: 'Its path in the output folder, such as checkpoint-10.' }),
    isFolder: t.boolean({ required: true, description: 'Whether it is a folder.' }),
    files: t.field({ type: [ResultFileInput], required: true, description: 'Its files.' }),
  }),
})

/** For removeExecutionResults. */
export const RemoveResultsInput = builder.inputType('RemoveExecutionResultsInput', {
  description: 'Results that the command has deleted.',
  fields: (t) => ({
    executionId: t.id({ required: true, description: 'Whose results.' }),
    names: t.stringList({ required: true, description: 'Their paths in the output folder.' }),
  }),
})

/** For releaseExecution. */
export const ReleaseInput = builder.inputType('ReleaseExecutionInput', {
  description: 'An execution of which nothing is left on the node.',
  fields: (t) => ({ executionId: t.id({ required: true, description: 'Which execution.' }) }),
})
