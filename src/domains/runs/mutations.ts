import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { ERROR_TYPES, resultUnion } from '../../graphql/errors.ts'
import type { BatchResults } from './batches.ts'
import { MAX_BATCH } from './inputs.ts'
import { LogLevelEnum, LogSourceEnum } from './logs.schema.ts'
import { NonFiniteEnum } from './metrics.schema.ts'
import { PlacementInput } from './placement.schema.ts'
import { RunType } from './schema.ts'

const IDEMPOTENCY_KEY =
  'A text of your own that makes the request safe to repeat: the same key again gives the run that the first request made, and starts nothing; with other input it is a ConflictError. Keys are per user.'

const RESOURCES =
  'What the run asks for; an object. Its place is chosen by gpuCount (or gpus), the GPUs that it gets for itself; gpuType, a part of their name; memoryBytes (or memoryGiB), the memory that is kept for it. Anything else is kept for you.'

const RESULTS = 'Null where you may not do it: then the errors of the response say so, with the position.'

const PRIORITY =
  'Those of a higher priority get their places first, -100 to 100; above 0 for owners of the project and administrators.'

const StartRunInput = builder.inputType('StartRunInput', {
  description: 'The run to start.',
  fields: (t) => ({
    project: t.string({ required: true, description: 'Id or name of the project.' }),
    name: t.string({ description: 'Unique in the project; run-001, run-002 … unless given.' }),
    model: t.string({ description: "The model to start from; the project's baseModel unless given." }),
    datasetName: t.string({ description: "The dataset to train on; the project's unless given." }),
    hyperparameters: t.field({
      type: 'JSON',
      description: "An object laid over the project's defaults, and merged into the train config.",
    }),
    resources: t.field({ type: 'JSON', description: RESOURCES }),
    placement: t.field({
      type: PlacementInput,
      description: 'Where it is to run; any node that fits unless given.',
    }),
    priority: t.int({ description: `${PRIORITY} 0 unless given.` }),
    idempotencyKey: t.string({ description: IDEMPOTENCY_KEY }),
  }),
})

const ResumeRunInput = builder.inputType('ResumeRunInput', {
  description: 'The run to continue. What is not given is as it was in that run.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Id of the run, which must be over.' }),
    artifactId: t.id({
      description:
        'The checkpoint to continue from; the newest unless given, or the one it was resumed from if it saved none.',
    }),
    name: t.string({ description: 'The name of the new run.' }),
    model: t.string({ description: 'Another model.' }),
    datasetName: t.string({ description: 'Another dataset.' }),
    hyperparameters: t.field({
      type: 'JSON',
      description:
        'An object laid over those of that run, and merged into the config.yaml that the script reads.',
    }),
    resources: t.field({ type: 'JSON', description: RESOURCES }),
    placement: t.field({
      type: PlacementInput,
      description: 'Where it is to run; as that run unless given.',
    }),
    priority: t.int({
      description: `${PRIORITY} That of the run before unless given, as far as you may give it.`,
    }),
    idempotencyKey: t.string({ description: IDEMPOTENCY_KEY }),
  }),
})

const CancelRunInput = builder.inputType('CancelRunInput', {
  description: 'The run to cancel.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Id of the run.' }),
    graceSeconds: t.float({
      description:
        'How long its processes may take to end after SIGTERM, and to save a last checkpoint, before they are killed; 0 kills at once.',
    }),
  }),
})

const StartRunsInput = builder.inputType('StartRunsInput', {
  description: 'Runs to start, also of several projects.',
  fields: (t) => ({
    runs: t.field({
      type: [StartRunInput],
      required: true,
      description: `The runs, 1 to ${MAX_BATCH}. Each is judged by itself.`,
    }),
  }),
})

const CancelRunsInput = builder.inputType('CancelRunsInput', {
  description: 'Runs to cancel: those that are named, or those of a project, on a compute node, or both.',
  fields: (t) => ({
    runIds: t.idList({ description: `Ids of runs, 1 to ${MAX_BATCH}, also of several projects.` }),
    project: t.string({ description: 'Id or name of a project: its runs that are not over.' }),
    computeNode: t.string({
      description:
        'Id or name of a compute node: the runs on it that are not over, of all projects that you are an editor of.',
    }),
    graceSeconds: t.float({ description: 'As that of cancelRun, for each.' }),
  }),
})

const RunResult = builder.errorUnion('RunResult', {
  description: 'A run of a batch, or what was wrong with that part of it.',
  types: [RunType, ...ERROR_TYPES],
})

/** What came of one, as the API has it. What is no error of the union is one of the response, at its place. */
const outcomeOf = (result: BatchResults[number]) =>
  result.status === 'fulfilled' ? RunType.addBrand(result.value) : Promise.reject(result.reason)

const RunBatchType = builder.objectRef<{ results: BatchResults }>('RunBatch').implement({
  description: 'What came of starting runs.',
  fields: (t) => ({
    results: t.field({
      type: [RunResult],
      nullable: { list: false, items: true },
      description: `One for each, in the order of the input. ${RESULTS}`,
      resolve: ({ results }) => results.map(outcomeOf),
    }),
  }),
})

const RunCancellationType = builder
  .objectRef<{ results: BatchResults; remaining: number }>('RunCancellation')
  .implement({
    description: 'What came of cancelling runs.',
    fields: (t) => ({
      results: t.field({
        type: [RunResult],
        nullable: { list: false, items: true },
        description: `One for each, in the order of the ids, or the latest run first. ${RESULTS}`,
        resolve: ({ results }) => results.map(outcomeOf),
      }),
      remaining: t.exposeInt('remaining', {
        description: `How many more of the selected runs are not over: one call cancels ${MAX_BATCH}. Call again.`,
      }),
    }),
  })

const MetricColumnsInput = builder.inputType('MetricColumnsInput', {
  description: 'Points of one key, in columns.',
  fields: (t) => ({
    key: t.string({
      required: true,
      description: 'What was measured, e.g. eval/loss; at most 250 characters.',
    }),
    steps: t.intList({ required: true, description: 'The step of each point.' }),
    values: t.floatList({ required: true, description: 'The value of each point; as many as steps.' }),
    nonFinite: t.field({
      type: t.listRef(NonFiniteEnum, { required: false }),
      description:
        'For values that are NaN or infinite, which JSON cannot say: what each value is, null for those that are as values has them. As many as steps; what values has in such a place counts for nothing, so send 0.',
    }),
    timestamps: t.field({
      type: ['DateTime'],
      description: 'When each was measured; the time of the request unless given. As many as steps.',
    }),
  }),
})

const LogMetricsInput = builder.inputType('LogMetricsInput', {
  description: 'Metric points for a run, at most 10,000 in one call.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Id of the run.' }),
    series: t.field({ type: [MetricColumnsInput], required: true, description: 'The points, by key.' }),
  }),
})

const LogLineInput = builder.inputType('LogLineInput', {
  description: 'A line for a log.',
  fields: (t) => ({
    message: t.string({ required: true, description: 'The text, at most 65,536 characters.' }),
    level: t.field({ type: LogLevelEnum, description: 'INFO unless given.' }),
    source: t.field({
      type: LogSourceEnum,
      description: 'STDOUT unless given; not SYSTEM, which is Trainyard itself.',
    }),
    timestamp: t.field({ type: 'DateTime', description: 'The time of the request unless given.' }),
  }),
})

const AppendRunLogsInput = builder.inputType('AppendRunLogsInput', {
  description: 'Lines for the log of a run, at most 10,000 in one call.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Id of the run.' }),
    lines: t.field({ type: [LogLineInput], required: true, description: 'The lines, oldest first.' }),
  }),
})

builder.mutationFields((t) => ({
  startRun: t.prismaField({
    type: RunType,
    description: 'Queues a run of a project; it starts as soon as there is a place for it.',
    errors: resultUnion(
      'StartRunResult',
      'The queued run, or why there is none. What is not uploaded yet is a PreconditionFailedError.',
    ),
    args: { input: t.arg({ type: StartRunInput, required: true, description: 'The run to start.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.runs.start(principalOf(context), input, query),
  }),
  cancelRun: t.prismaField({
    type: RunType,
    description:
      'Ends a run with all its processes. It stays CANCELLING until they are gone; what was saved is kept. Again with a shorter grace shortens it.',
    errors: resultUnion('CancelRunResult', 'The run, or why it cannot be cancelled.'),
    args: { input: t.arg({ type: CancelRunInput, required: true, description: 'The run to cancel.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.runs.cancel(principalOf(context), input, query),
  }),
  startRuns: t.field({
    type: RunBatchType,
    description:
      'Queues many runs, each as startRun does; what is wrong with one is no matter to the others.',
    errors: resultUnion('StartRunsResult', 'What came of each, or why the whole was not begun.'),
    args: { input: t.arg({ type: StartRunsInput, required: true, description: 'The runs to start.' }) },
    resolve: async (_root, { input }, context) => ({
      results: await context.services.runs.startMany(principalOf(context), input),
    }),
  }),
  cancelRuns: t.field({
    type: RunCancellationType,
    description: 'Ends many runs, each as cancelRun does; what is wrong with one is no matter to the others.',
    errors: resultUnion('CancelRunsResult', 'What came of each, or why the whole was not begun.'),
    args: { input: t.arg({ type: CancelRunsInput, required: true, description: 'The runs to cancel.' }) },
    resolve: (_root, { input }, context) => context.services.runs.cancelMany(principalOf(context), input),
  }),
  resumeRun: t.prismaField({
    type: RunType,
    description: 'Queues a new run that continues one that is over from one of its checkpoints.',
    errors: resultUnion(
      'ResumeRunResult',
      'The new run, or why there is none. A run without checkpoint is a PreconditionFailedError.',
    ),
    args: { input: t.arg({ type: ResumeRunInput, required: true, description: 'The run to continue.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.runs.resume(principalOf(context), input, query),
  }),
  logMetrics: t.prismaField({
    type: RunType,
    description:
      'Stores metric points of a run that is not over: all of a call, or none. The same point (key, step and value) twice is stored once, with the timestamp it had first, so a call that is sent again changes nothing. The token of the run itself may do this too.',
    skipTypeScopes: true,
    authScopes: { reporter: true },
    errors: resultUnion('LogMetricsResult', 'The run, or why nothing was stored.'),
    args: { input: t.arg({ type: LogMetricsInput, required: true, description: 'The points.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.reporting.logMetrics(principalOf(context), input, query),
  }),
  appendRunLogs: t.prismaField({
    type: RunType,
    description:
      'Appends lines to the log of a run that is not over, in addition to what is read from its output. The token of the run itself may do this too.',
    skipTypeScopes: true,
    authScopes: { reporter: true },
    errors: resultUnion('AppendRunLogsResult', 'The run, or why nothing was stored.'),
    args: { input: t.arg({ type: AppendRunLogsInput, required: true, description: 'The lines.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.reporting.appendLogs(principalOf(context), input, query),
  }),
}))
