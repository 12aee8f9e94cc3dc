import { builder } from '../../graphql/builder.ts'
import type { UsageBucket } from './usage.ts'

/** What was asked of a deployment in a span of time. */
export const UsageBucketType = builder.objectRef<UsageBucket>('DeploymentUsage').implement({
  description: 'What was asked of a deployment in a span of time.',
  fields: (t) => ({
    since: t.expose('since', { type: 'DateTime', description: 'Where the span begins.' }),
    until: t.expose('until', { type: 'DateTime', description: 'Where the next one may begin.' }),
    requests: t.exposeInt('requests', { description: 'How many requests ended.' }),
    errors: t.exposeInt('errors', {
      description: 'How many of them were answered with an error; a client that left is none.',
    }),
    promptTokens: t.exposeFloat('promptTokens', {
      description: 'How many tokens the prompts had, as far as the model server told.',
    }),
    completionTokens: t.exposeFloat('completionTokens', {
      description: 'How many tokens the answers had, as far as the model server told.',
    }),
    meanTimeToFirstTokenMs: t.exposeFloat('meanTimeToFirstTokenMs', {
      nullable: true,
      description: 'How long streams took for their first token, on average, in ms; null without any.',
    }),
    slowestTimeToFirstTokenMs: t.exposeFloat('slowestTimeToFirstTokenMs', {
      nullable: true,
      description: 'How long the slowest of them took for its first token, in ms; null without any.',
    }),
    meanDurationMs: t.exposeFloat('meanDurationMs', {
      description: 'How long requests took from their arrival to the end of the answer, on average, in ms.',
    }),
  }),
})
