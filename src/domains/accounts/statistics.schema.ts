import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { RunStatusCountType } from '../runs/schema.ts'
import type { ServerStatistics } from './statistics.ts'

const ServerStatisticsType = builder.objectRef<ServerStatistics>('ServerStatistics').implement({
  description: 'How much there is on the server.',
  fields: (t) => ({
    users: t.exposeInt('users', { description: 'Accounts, deactivated ones included, deleted ones not.' }),
    activeUsers: t.exposeInt('activeUsers', {
      description: 'Accounts that were used within the last seven days.',
    }),
    administrators: t.exposeInt('administrators', {
      description: 'Administrators whose accounts can be used.',
    }),
    sessions: t.exposeInt('sessions', { description: 'Sign-ins that go on.' }),
    projects: t.exposeInt('projects', { description: 'Projects.' }),
    datasets: t.exposeInt('datasets', { description: 'Datasets.' }),
    datasetBytes: t.expose('datasetBytes', { type: 'BigInt', description: 'The size of all dataset files.' }),
    runs: t.field({
      type: [RunStatusCountType],
      description: 'Runs by status; those that none has are left out.',
      resolve: ({ runs }) => runs,
    }),
    artifacts: t.exposeInt('artifacts', { description: 'Artifacts.' }),
    artifactBytes: t.expose('artifactBytes', {
      type: 'BigInt',
      description: 'The size of all artifacts whose size is known.',
    }),
    logLines: t.expose('logLines', { type: 'BigInt', description: 'Lines in the logs of all runs.' }),
  }),
})

builder.queryField('serverStatistics', (t) =>
  t.field({
    type: ServerStatisticsType,
    description: 'How much there is on the server. For administrators.',
    resolve: (_root, _args, context) => context.services.statistics.read(principalOf(context)),
  }),
)
