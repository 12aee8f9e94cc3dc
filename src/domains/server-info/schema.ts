import { builder } from '../../graphql/builder.ts'
import type { ServerInfo } from './service.ts'

const ServerInfoType = builder.objectRef<ServerInfo>('ServerInfo').implement({
  description: 'What the server is and what it is configured for.',
  fields: (t) => ({
    version: t.exposeString('version', { description: 'The version of Trainyard.' }),
    nodeVersion: t.exposeString('nodeVersion', { description: 'The version of Node.js it runs on.' }),
    startedAt: t.expose('startedAt', { type: 'DateTime', description: 'When this server process started.' }),
    uptimeSeconds: t.exposeFloat('uptimeSeconds', {
      description: 'How long it has been running, in seconds.',
    }),
    maxConcurrentRuns: t.exposeInt('maxConcurrentRuns', {
      description: 'How many runs may have a process at the same time; further ones wait in the queue.',
    }),
    maxDatasetFileBytes: t.expose('maxDatasetFileBytes', {
      type: 'BigInt',
      description: 'The largest dataset file accepted, in bytes.',
    }),
    maxTrainConfigBytes: t.expose('maxTrainConfigBytes', {
      type: 'BigInt',
      description: 'The largest train config accepted, in bytes.',
    }),
    cancelGraceSeconds: t.exposeInt('cancelGraceSeconds', {
      description:
        'How long a cancelled run may take to end by itself unless the request says so, in seconds.',
    }),
    freeCommands: t.exposeBoolean('freeCommands', {
      description:
        'Whether projects may have commands of their own; else each has to choose a launcher before it can run.',
    }),
  }),
})

builder.queryField('serverInfo', (t) =>
  t.field({
    type: ServerInfoType,
    description: 'What the server is and what it is configured for. Needs no token.',
    skipTypeScopes: true,
    resolve: (_root, _args, { services }) => services.serverInfo.read(),
  }),
)
