import { builder } from '../../graphql/builder.ts'
import type { MetricBucket, MetricSeries } from './metric-series.ts'
import type { DeliveredPoint, NonFinite } from './metric-store.ts'
import type { MetricBatch } from './watch.ts'

/** What a value is that is no finite number. */
export const NonFiniteEnum = builder.enumType('NonFinite', {
  description: 'What a value is that is not a number GraphQL could carry.',
  values: {
    NAN: { description: 'Not a number, as a training that diverges reports it.' },
    INFINITY: { description: 'Too large.' },
    NEGATIVE_INFINITY: { description: 'Too small.' },
  } satisfies Record<NonFinite, object>,
})

/** A value of a key at a step. */
export const MetricValueType = builder.objectRef<DeliveredPoint>('MetricValue').implement({
  description: 'A value of a key at a step.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'What was measured, e.g. loss.' }),
    value: t.exposeFloat('value', {
      description:
        'The value. Where nonFinite is set it stands in for it: 0 for NaN, ±1.797e308 for infinities.',
    }),
    nonFinite: t.field({
      type: NonFiniteEnum,
      nullable: true,
      description: 'Set when the script reported no finite number.',
      resolve: (point) => point.nonFinite,
    }),
    step: t.exposeInt('step', { description: 'The training step.' }),
    timestamp: t.expose('timestamp', { type: 'DateTime', description: 'When it was measured, or read.' }),
  }),
})

const MetricBucketType = builder.objectRef<MetricBucket>('MetricBucket').implement({
  description:
    'The points of a range of steps. min, max, mean and last are of the finite values; where there are none (count equals nonFiniteCount) they are 0.',
  fields: (t) => ({
    step: t.exposeInt('step', { description: 'The first step that has a point in it.' }),
    lastStep: t.exposeInt('lastStep', { description: 'The last step that has a point in it.' }),
    min: t.exposeFloat('min', { description: 'The smallest value, so that no spike is lost.' }),
    max: t.exposeFloat('max', { description: 'The largest value, so that no spike is lost.' }),
    mean: t.exposeFloat('mean', { description: 'The mean of the values.' }),
    last: t.exposeFloat('last', {
      description:
        'The value of the last step; of several there, the last to arrive. The mean where that step has no finite value.',
    }),
    count: t.exposeInt('count', { description: 'How many points are in it.' }),
    nonFiniteCount: t.exposeInt('nonFiniteCount', { description: 'How many of them are NaN or infinite.' }),
  }),
})

/** A series. */
export const MetricSeriesType = builder.objectRef<MetricSeries>('MetricSeries').implement({
  description:
    'What a run measured under one key, in buckets of equally many steps: the range from the first to the last point asked for, divided by maxPoints and rounded up. So that a series of any length is quick to read, wide buckets of a series of 10,000 points or more are rounded up further, to a multiple of a power of four that is at most half as wide, and begin at multiples of that power. Each bucket says exactly what the points in it come to, whatever the order they arrived in.',
  fields: (t) => ({
    key: t.exposeString('key', { description: 'What was measured.' }),
    pointCount: t.int({
      description: 'How many points there are in the range asked for.',
      resolve: async (series) => (await series.chart()).pointCount,
    }),
    buckets: t.field({
      type: [MetricBucketType],
      description: 'At most maxPoints, by step; steps without a point make no bucket.',
      resolve: async (series) => (await series.chart()).buckets,
    }),
  }),
})

/** Points that arrived together. */
export const MetricBatchType = builder.objectRef<MetricBatch>('MetricBatch').implement({
  description: 'Points that arrived together.',
  fields: (t) => ({
    points: t.field({
      type: [MetricValueType],
      description: 'The points in the order they arrived; at least one.',
      resolve: (batch) => batch.points,
    }),
    cursor: t.exposeString('cursor', { description: 'Give it as after to continue behind these points.' }),
  }),
})
