import { builder } from '../../graphql/builder.ts'
import type { LogBatch } from '../../streams/batches.ts'
import type { LogLevel, LogLine, LogSource } from '../../streams/log-lines.ts'
import type { LogPage } from '../../streams/log-pages.ts'

/** How much a line matters. */
export const LogLevelEnum = builder.enumType('LogLevel', {
  description: 'How much a line matters, as far as it says so itself; else INFO.',
  values: {
    DEBUG: { description: 'For those who look for a defect.' },
    INFO: { description: 'What happens.' },
    WARNING: { description: 'May be wrong.' },
    ERROR: { description: 'Is wrong.' },
  } satisfies Record<LogLevel, object>,
})

/** Where a line came from. */
export const LogSourceEnum = builder.enumType('LogSource', {
  description: 'Where a line came from.',
  values: {
    STDOUT: { description: 'The standard output of the command.' },
    STDERR: { description: 'The standard error of the command.' },
    SYSTEM: { description: 'Trainyard itself.' },
  } satisfies Record<LogSource, object>,
})

const LogLineType = builder.objectRef<LogLine>('LogLine').implement({
  description: 'A line of a log.',
  fields: (t) => ({
    seq: t.exposeInt('seq', { description: 'Counts from 1 in its log, without gaps.' }),
    timestamp: t.expose('timestamp', { type: 'DateTime', description: 'When it was read.' }),
    level: t.field({
      type: LogLevelEnum,
      description: 'How much it matters.',
      resolve: (line) => line.level,
    }),
    source: t.field({
      type: LogSourceEnum,
      description: 'Where it came from.',
      resolve: (line) => line.source,
    }),
    message: t.exposeString('message', {
      description: 'The text without its line ending; bytes that are not UTF-8 appear as U+FFFD.',
    }),
    partial: t.exposeBoolean('partial', {
      description: 'Whether the line goes on in the next one: lines longer than 64 KiB are kept in pieces.',
    }),
  }),
})

/** Which lines. */
export const LogFilterInput = builder.inputType('LogFilter', {
  description: 'Which lines: those that match everything given.',
  fields: (t) => ({
    minLevel: t.field({ type: LogLevelEnum, description: 'Only of this level or a graver one.' }),
    source: t.field({ type: LogSourceEnum, description: 'Only from here.' }),
    search: t.string({
      description: 'Only with this text of at most 100 characters, whatever the case of A to Z.',
    }),
    since: t.field({ type: 'DateTime', description: 'Only from this time on.' }),
    until: t.field({ type: 'DateTime', description: 'Only up to this time.' }),
  }),
})

const LogEdgeType = builder.objectRef<LogPage['edges'][number]>('LogEdge').implement({
  description: 'A line on a page.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description: 'Marks the place of the line; the live subscription takes it as after too.',
    }),
    node: t.field({ type: LogLineType, description: 'The line.', resolve: (edge) => edge.node }),
  }),
})

/** A page of a log. */
export const LogConnectionType = builder.objectRef<LogPage>('LogConnection').implement({
  description: 'A page of a log.',
  fields: (t) => ({
    edges: t.field({
      type: [LogEdgeType],
      description: 'The lines, oldest first.',
      resolve: (page) => page.edges,
    }),
    pageInfo: t.field({
      type: builder.pageInfoRef(),
      description: 'Where the page stands in the log.',
      resolve: (page) => page.pageInfo,
    }),
    totalCount: t.int({
      description: 'How many lines the whole log has that match the filter.',
      resolve: (page) => page.totalCount(),
    }),
  }),
})

/** Lines that arrived together. */
export const LogBatchType = builder.objectRef<LogBatch>('LogBatch').implement({
  description: 'Lines that arrived together.',
  fields: (t) => ({
    lines: t.field({
      type: [LogLineType],
      description: 'The lines, oldest first; at least one.',
      resolve: (batch) => batch.lines,
    }),
    cursor: t.exposeString('cursor', { description: 'Give it as after to continue behind these lines.' }),
  }),
})
