import { builder } from '../../../graphql/builder.ts'
import type { AgentOrders, Assignment, ExecutionOrder, Wish } from './work.ts'

const WishEnum = builder.enumType('ExecutionWish', {
  description: 'What an agent is to do with an execution.',
  values: {
    RUN: { description: 'Start its command, once, and see it through.' },
    END: { description: 'Ask its processes to end, and kill what is left after the grace.' },
    DISCARD: { description: 'The server is done with it: remove what is left, then releaseExecution.' },
  } satisfies Record<Wish, object>,
})

/** An order. */
export const OrderType = builder.objectRef<ExecutionOrder>('ExecutionOrder').implement({
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

/** All orders of an agent. */
export const OrdersType = builder.objectRef<AgentOrders>('AgentOrders').implement({
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

/** A command. */
export const AssignmentType = builder.objectRef<Assignment>('Assignment').implement({
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

/** How far an upload has come. */
export const UploadType = builder.objectRef<{ receivedBytes: number }>('ExecutionFileUpload').implement({
  description: 'How far the upload of a file has come.',
  fields: (t) => ({
    receivedBytes: t.field({
      type: 'BigInt',
      description: 'How much of it is there, in bytes: the next piece begins there.',
      resolve: ({ receivedBytes }) => BigInt(receivedBytes),
    }),
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

/** What became of a result. */
export const ResultType = builder
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

/** What was removed. */
export const RemovedType = builder.objectRef<{ names: string[] }>('RemovedResults').implement({
  description: 'What was removed.',
  fields: (t) => ({
    names: t.exposeStringList('names', {
      description: 'Those that were removed: what people have tagged stays.',
    }),
  }),
})

/** An execution that is over. */
export const ReleasedType = builder.objectRef<{ executionId: string }>('ReleasedExecution').implement({
  description: 'An execution that is over on both sides.',
  fields: (t) => ({ executionId: t.exposeID('executionId', { description: 'Which it was.' }) }),
})
