import { builder } from '../../graphql/builder.ts'
import { type Context, principalOf } from '../../graphql/context.ts'
import { LocaleEnum } from '../accounts/schema.ts'
import { ArtifactConnection, ArtifactFilter } from '../artifacts/schema.ts'
import { matchingArtifacts } from '../artifacts/service.ts'
import { ComputeNodeObject } from '../compute-nodes/schema.ts'
import { ProjectType } from '../projects/schema.ts'
import { visibleRuns } from './access.ts'
import { matchingRuns } from './filter.ts'
import { LogConnectionType, LogFilterInput } from './logs.schema.ts'
import { MetricSeriesType, MetricValueType } from './metrics.schema.ts'
import { RunPlacementType } from './placement.schema.ts'
import { isFinal, RUN_STATUS_LABELS, type RunStatus, toRunStatus } from './status.ts'

/** Where a run stands. */
export const RunStatusEnum = builder.enumType('RunStatus', {
  description: 'Where a run is. SUCCEEDED, FAILED, CANCELLED and LOST are final: they never change again.',
  values: {
    QUEUED: { description: 'Waits for a place. 排队中' },
    STARTING: {
      description: 'Has a place; its command is being started, or waits for room on a full disk. 启动中',
    },
    RUNNING: { description: 'Its command runs. 运行中' },
    CANCELLING: { description: 'Its processes were asked to end and have their grace. 取消中' },
    SUCCEEDED: { description: 'Its command ended with exit code 0. 已完成' },
    FAILED: {
      description: 'Its command could not be started, or ended with another exit code or by a signal. 失败',
    },
    CANCELLED: { description: 'It was ended on request; what it saved is kept. 已取消' },
    LOST: { description: 'It is gone, and how it ended cannot be known; statusReason says why. 失联' },
  } satisfies Record<RunStatus, object>,
})

/** How many runs have a status. */
export const RunStatusCountType = builder
  .objectRef<{ status: string; count: number }>('RunStatusCount')
  .implement({
    description: 'How many runs have a status.',
    fields: (t) => ({
      status: t.field({
        type: RunStatusEnum,
        description: 'The status.',
        resolve: ({ status }) => toRunStatus(status),
      }),
      count: t.exposeInt('count', { description: 'How many have it.' }),
    }),
  })

/** A run. */
export const RunType = builder.prismaNode('Run', {
  description: 'One training: a process with its log, metrics and artifacts.',
  id: { field: 'id' },
  fields: (t) => ({
    project: t.relation('project', { description: 'The project it is of.' }),
    name: t.exposeString('name', { description: 'Unique in its project: run-001, run-002 … unless given.' }),
    status: t.field({
      type: RunStatusEnum,
      description: 'Where it is.',
      resolve: (run) => toRunStatus(run.status),
    }),
    statusLabel: t.string({
      description: 'The status in words.',
      args: {
        locale: t.arg({ type: LocaleEnum, required: true, defaultValue: 'EN', description: 'The language.' }),
      },
      resolve: (run, { locale }) => RUN_STATUS_LABELS[toRunStatus(run.status)][locale],
    }),
    statusReason: t.exposeString('statusReason', {
      nullable: true,
      description: 'Why it failed, was cancelled or is lost; while it is queued, what it waits for.',
    }),
    progress: t.exposeFloat('progress', { description: 'How far it is, 0 to 1, as its output tells.' }),
    step: t.exposeInt('step', { nullable: true, description: 'The last step that it reported.' }),
    totalSteps: t.exposeInt('totalSteps', {
      nullable: true,
      description: 'How many steps it is to take, once it said so.',
    }),
    epoch: t.exposeFloat('epoch', { nullable: true, description: 'The epoch it is in, as it reported it.' }),
    model: t.exposeString('model', { nullable: true, description: 'The model that it starts from.' }),
    datasetName: t.exposeString('datasetName', {
      nullable: true,
      description: 'The dataset that it trains on.',
    }),
    hyperparameters: t.expose('hyperparameters', {
      type: 'JSON',
      description:
        'The defaults of the project (or of the run it resumes) with its own laid over: what was merged into its config.yaml.',
    }),
    resources: t.expose('resources', { type: 'JSON', description: 'What it asked for.' }),
    startCommand: t.exposeString('startCommand', { description: 'The exact argv, quoted for a shell.' }),
    launcher: t.relation('launcher', {
      nullable: true,
      description: 'The launcher whose command it is; null for a command of the project itself.',
    }),
    priority: t.exposeInt('priority', {
      description: 'How soon it gets its place: those of a higher one first, then fairly between projects.',
    }),
    placement: t.variant(RunPlacementType, { description: 'What it asks of its compute node.' }),
    computeNode: t.relation('node', {
      nullable: true,
      description: 'The compute node that it was given to; null while it waits, or when that is deleted.',
    }),
    gpuIds: t.intList({
      description: 'The GPUs of that node that are its own now, as nvidia-smi numbers them; empty without.',
      select: { gpus: { select: { gpu: true }, orderBy: { gpu: 'asc' } } },
      resolve: ({ gpus }) => gpus.map(({ gpu }) => gpu),
    }),
    exitCode: t.exposeInt('exitCode', {
      nullable: true,
      description: 'The exit code of its command; null while it runs, or when a signal ended it.',
    }),
    gpuUtilization: t.exposeFloat('gpuUtilization', {
      nullable: true,
      description: 'How busy its GPUs are, 0 to 1; null without one.',
    }),
    metrics: t.field({
      type: [MetricValueType],
      description: 'The latest value of every key, by key.',
      resolve: (run, _args, { services }) => services.runRecords.latestMetrics(run),
    }),
    metricSeries: t.field({
      type: [MetricSeriesType],
      description: 'What it measured, for a chart: at most 50,000 buckets in all series together.',
      args: {
        keys: t.arg.stringList({
          description:
            'Only these keys; all unless given, which costs as much as the most buckets there may be.',
        }),
        maxPoints: t.arg.int({
          required: true,
          defaultValue: 1000,
          description: 'The most buckets of a series, 1 to 10,000.',
        }),
        minStep: t.arg.int({ description: 'Only from this step on.' }),
        maxStep: t.arg.int({ description: 'Only up to this step.' }),
      },
      resolve: (run, args, { services }) => services.runRecords.series(run, args),
    }),
    logs: t.field({
      type: LogConnectionType,
      description: 'What it printed, oldest first, and what Trainyard has to say of it.',
      args: {
        ...t.arg.connectionArgs(),
        filter: t.arg({ type: LogFilterInput, description: 'Which lines; all unless given.' }),
      },
      resolve: (run, args, { services }) => services.runRecords.logs(run, args),
    }),
    artifacts: t.relatedConnection(
      'artifacts',
      {
        cursor: 'id',
        totalCount: true,
        description: 'What it produced, the latest first.',
        args: { filter: t.arg({ type: ArtifactFilter, description: 'Which artifacts; all unless given.' }) },
        query: ({ filter }) => ({
          where: matchingArtifacts(filter),
          orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        }),
      },
      ArtifactConnection,
    ),
    resumedFrom: t.relation('resumedFrom', {
      nullable: true,
      description: 'The checkpoint that it continues from; null for a run from the start.',
    }),
    createdBy: t.relation('createdBy', { description: 'Who started it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was queued.' }),
    startedAt: t.expose('startedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its command started.',
    }),
    finishedAt: t.expose('finishedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When its command ended.',
    }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When anything of the above last changed.',
    }),
    canCancel: t.boolean({
      description: 'Whether cancelRun makes sense now, and you may do it.',
      resolve: (run, _args, context) =>
        !isFinal(run.status) && run.status !== 'CANCELLING' && mayEdit(run, context),
    }),
    canResume: t.boolean({
      description:
        'Whether you can continue it by resumeRun: it is over, and has a checkpoint or was resumed from one, and you may start runs of its project.',
      resolve: (run, _args, context) =>
        isFinal(run.status) &&
        (run.checkpointCount > 0 || run.resumedFromId !== null) &&
        mayEdit(run, context),
    }),
  }),
})

function mayEdit(run: { projectId: string }, context: Context): Promise<boolean> {
  return context.services.access.allows(principalOf(context), run.projectId, 'EDITOR')
}

const RunConnection = builder.connectionObject(
  { type: RunType, name: 'RunConnection', description: 'A page of runs.' },
  { name: 'RunEdge', description: 'A run on a page.' },
)

const RunFilterInput = builder.inputType('RunFilter', {
  description: 'Which runs: those that match everything given.',
  fields: (t) => ({
    project: t.string({ description: 'Id or name of the project.' }),
    status: t.field({ type: [RunStatusEnum], description: 'Only of one of these statuses.' }),
    search: t.string({ description: 'Only with this text in name, model or dataset name.' }),
    computeNode: t.string({ description: 'Id or name of the compute node that they were given to.' }),
  }),
})

builder.prismaObjectFields(ComputeNodeObject, (t) => ({
  runs: t.relatedConnection(
    'runs',
    {
      cursor: 'id',
      totalCount: true,
      description: 'The runs that it was given, of those that you may see, the latest first.',
      args: { filter: t.arg({ type: RunFilterInput, description: 'Which runs; all unless given.' }) },
      query: ({ filter }, context) => ({
        where: { AND: [visibleRuns(principalOf(context)), matchingRuns(filter)] },
        orderBy: { id: 'desc' },
      }),
    },
    RunConnection,
  ),
}))

builder.prismaObjectFields(ProjectType, (t) => ({
  runCount: t.relationCount('runs', {
    // The same condition as that of runs without a filter, so that both can be asked for at once.
    where: () => matchingRuns(null),
    description: 'How many runs it has.',
  }),
  runs: t.relatedConnection(
    'runs',
    {
      cursor: 'id',
      totalCount: true,
      description: 'Its runs, the latest first.',
      args: { filter: t.arg({ type: RunFilterInput, description: 'Which runs; all unless given.' }) },
      query: ({ filter }) => ({ where: matchingRuns(filter), orderBy: { id: 'desc' } }),
    },
    RunConnection,
  ),
}))

builder.queryFields((t) => ({
  run: t.prismaField({
    type: RunType,
    nullable: true,
    description: 'A run; null when there is none, or not for you. The token of a run may read that run.',
    skipTypeScopes: true,
    authScopes: { reporter: true },
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, context) => context.services.runs.find(principalOf(context), id, query),
  }),
  runs: t.prismaConnection(
    {
      type: RunType,
      cursor: 'id',
      description: 'The runs that you may see, the latest first.',
      args: { filter: t.arg({ type: RunFilterInput, description: 'Which runs; all unless given.' }) },
      totalCount: (_root, { filter }, context) => context.services.runs.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.runs.list(principalOf(context), filter, query),
    },
    RunConnection,
  ),
}))
