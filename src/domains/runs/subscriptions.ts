import { NotFoundError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { LogBatchType, LogFilterInput } from './logs.schema.ts'
import { MetricBatchType } from './metrics.schema.ts'
import { RunType } from './schema.ts'

const AFTER =
  'A cursor from an earlier message or query: only what is behind it. From the beginning unless given.'

builder.subscriptionFields((t) => ({
  runUpdated: t.prismaField({
    type: RunType,
    description:
      'Runs as they are now, then at every change: the one named, which ends the stream when it is over or deleted; or all active ones of the project, until that is deleted, or of the server, and whatever changes there. A slow reader gets the latest state, not every one in between.',
    args: {
      runId: t.arg.id({ description: 'One run.' }),
      project: t.arg.string({ description: 'Id or name of a project; all projects unless given.' }),
    },
    subscribe: (_root, args, context) => context.services.runWatcher.updates(principalOf(context), args),
    resolve: async (query, { id }, _args, context) => {
      const run = await context.services.runs.find(principalOf(context), id, query)
      if (!run) throw new NotFoundError('run', id)
      return run
    },
  }),
  runLogs: t.field({
    type: LogBatchType,
    description:
      'The log of a run: what is stored behind the cursor, then live, with no gap and no repeat. Ends when the run is over and all is delivered, or when it is deleted; of a run that has not started it waits. A filter that matches nothing delivers nothing. Who reads slowly gets fewer, larger messages; a client that reads nothing for a minute is disconnected, and continues with its last cursor.',
    args: {
      runId: t.arg.id({ required: true, description: 'The run.' }),
      after: t.arg.string({ description: AFTER }),
      filter: t.arg({ type: LogFilterInput, description: 'Which lines; all unless given.' }),
    },
    subscribe: (_root, args, context) => context.services.runWatcher.logs(principalOf(context), args),
    resolve: (batch) => batch,
  }),
  runMetrics: t.field({
    type: MetricBatchType,
    description:
      'The metric points of a run in the order they arrived: what is stored behind the cursor, then live, with no gap and no repeat. Ends as runLogs does.',
    args: {
      runId: t.arg.id({ required: true, description: 'The run.' }),
      keys: t.arg.stringList({ description: 'Only these keys; all unless given.' }),
      after: t.arg.string({ description: AFTER }),
    },
    subscribe: (_root, args, context) => context.services.runWatcher.metrics(principalOf(context), args),
    resolve: (batch) => batch,
  }),
}))
