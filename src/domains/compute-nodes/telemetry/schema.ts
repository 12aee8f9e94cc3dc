import { builder } from '../../../graphql/builder.ts'
import { principalOf } from '../../../graphql/context.ts'
import { ComputeNodeFilterInput, ComputeNodeObject } from '../schema.ts'
import type { TelemetryPoint } from './service.ts'
import { type GpuMeasure, gpuSpreadOf, gpusOf, type Measure, type Spread, spreadOf } from './summary.ts'
import type { TelemetryTotal } from './totals.ts'

/** A GPU of a point. */
interface GpuPoint {
  point: TelemetryPoint
  index: number
}

const whole = (value: number | undefined) => (value === undefined ? null : Math.round(value))

const GpuTelemetryType = builder.objectRef<GpuPoint>('GpuTelemetry').implement({
  description:
    'How a GPU did. Of a span of time the values are means, with the lowest and the highest beside them; of a moment all three are the same.',
  fields: (t) => {
    const spread = ({ point, index }: GpuPoint, measure: GpuMeasure) =>
      gpuSpreadOf(point.summary, index, measure)
    const float = (measure: GpuMeasure, of: keyof Spread, description: string) =>
      t.float({ nullable: true, description, resolve: (gpu) => spread(gpu, measure)?.[of] })
    const bytes = (measure: GpuMeasure, of: keyof Spread, description: string) =>
      t.field({
        type: 'BigInt',
        nullable: true,
        description,
        resolve: (gpu) => whole(spread(gpu, measure)?.[of]),
      })
    return {
      index: t.exposeInt('index', { description: 'Its number, as nvidia-smi counts.' }),
      name: t.string({
        description: 'Its model; GPU where that is not known.',
        resolve: ({ point, index }) => point.gpuNames.get(index) ?? 'GPU',
      }),
      utilization: float(
        'utilization',
        'mean',
        'The part of the time in which something ran on it, in percent; null where its driver does not tell.',
      ),
      utilizationMin: float('utilization', 'min', 'The lowest utilization.'),
      utilizationMax: float('utilization', 'max', 'The highest utilization.'),
      memoryUsedBytes: bytes('memoryUsedBytes', 'mean', 'How much of its memory is used, in bytes.'),
      memoryUsedBytesMin: bytes('memoryUsedBytes', 'min', 'The least that was used, in bytes.'),
      memoryUsedBytesMax: bytes('memoryUsedBytes', 'max', 'The most that was used, in bytes.'),
      memoryTotalBytes: bytes('memoryTotalBytes', 'max', 'How much memory it has, in bytes.'),
      temperatureCelsius: float('temperatureCelsius', 'mean', 'Its temperature, in °C.'),
      temperatureCelsiusMin: float('temperatureCelsius', 'min', 'The lowest temperature, in °C.'),
      temperatureCelsiusMax: float('temperatureCelsius', 'max', 'The highest temperature, in °C.'),
      powerWatts: float('powerWatts', 'mean', 'What it draws, in watts.'),
      powerWattsMin: float('powerWatts', 'min', 'The least that it drew, in watts.'),
      powerWattsMax: float('powerWatts', 'max', 'The most that it drew, in watts.'),
    }
  },
})

/** What a node measured. */
export const TelemetryType = builder.objectRef<TelemetryPoint>('Telemetry').implement({
  description:
    'How a machine did, at a moment or in a span of time. Of a span the values are means, with the lowest and the highest beside them; of a moment all three are the same.',
  fields: (t) => {
    const float = (measure: Measure, of: keyof Spread, description: string) =>
      t.float({
        nullable: true,
        description,
        resolve: ({ summary }) => spreadOf(summary, measure)?.[of],
      })
    const always = (measure: Measure, of: keyof Spread, description: string) =>
      t.float({ description, resolve: ({ summary }) => spreadOf(summary, measure)?.[of] ?? 0 })
    return {
      timestamp: t.field({
        type: 'DateTime',
        description: 'The moment, or where the span begins.',
        resolve: ({ summary }) => summary.timestamp,
      }),
      sampleCount: t.int({
        description: 'How many samples it is of: 1 for a moment.',
        resolve: ({ summary }) => summary.sampleCount,
      }),
      cpuUsage: always(
        'cpuUsage',
        'mean',
        'The part of the time in which its processors had work, in percent.',
      ),
      cpuUsageMin: always('cpuUsage', 'min', 'The lowest usage of its processors, in percent.'),
      cpuUsageMax: always('cpuUsage', 'max', 'The highest usage of its processors, in percent.'),
      memoryUsage: always(
        'memoryUsage',
        'mean',
        'The part of its memory that is not available to new work, in percent.',
      ),
      memoryUsageMin: always('memoryUsage', 'min', 'The lowest usage of its memory, in percent.'),
      memoryUsageMax: always('memoryUsage', 'max', 'The highest usage of its memory, in percent.'),
      memoryTotalBytes: t.field({
        type: 'BigInt',
        description: 'How much memory it may use, in bytes: what there is, or the limit of its container.',
        resolve: ({ summary }) => whole(spreadOf(summary, 'memoryTotalBytes')?.max) ?? 0,
      }),
      diskUsage: float(
        'diskUsage',
        'mean',
        'How full the filesystem of its data folder is, in percent; null where that is not known.',
      ),
      diskUsageMin: float('diskUsage', 'min', 'The least full that filesystem was, in percent.'),
      diskUsageMax: float('diskUsage', 'max', 'The fullest that filesystem was, in percent.'),
      networkRxBytesPerSecond: float(
        'networkRxBytesPerSecond',
        'mean',
        'What it received over the network, in bytes per second; null in the first sample after a start.',
      ),
      networkRxBytesPerSecondMin: float('networkRxBytesPerSecond', 'min', 'The lowest of these rates.'),
      networkRxBytesPerSecondMax: float('networkRxBytesPerSecond', 'max', 'The highest of these rates.'),
      networkTxBytesPerSecond: float(
        'networkTxBytesPerSecond',
        'mean',
        'What it sent over the network, in bytes per second; null in the first sample after a start.',
      ),
      networkTxBytesPerSecondMin: float('networkTxBytesPerSecond', 'min', 'The lowest of these rates.'),
      networkTxBytesPerSecondMax: float('networkTxBytesPerSecond', 'max', 'The highest of these rates.'),
      gpus: t.field({
        type: [GpuTelemetryType],
        description: 'How its GPUs did, by number; empty without.',
        resolve: (point) => gpusOf(point.summary).map((index) => ({ point, index })),
      }),
    }
  },
})

const TelemetryTotalType = builder.objectRef<TelemetryTotal>('TelemetryTotal').implement({
  description:
    'How several machines did in a span of time, together. Usages are of machines, or GPUs, each counting the same; amounts and rates are sums.',
  fields: (t) => {
    const usage = (
      name: 'cpuUsage' | 'memoryUsage' | 'diskUsage' | 'gpuUtilization',
      of: keyof Spread,
      description: string,
    ) => t.float({ nullable: true, description, resolve: (total) => total[name]?.[of] })
    const bytes = (
      name: 'memoryUsedBytes' | 'memoryTotalBytes' | 'gpuMemoryUsedBytes' | 'gpuMemoryTotalBytes',
      description: string,
    ) =>
      t.field({
        type: 'BigInt',
        nullable: true,
        description,
        resolve: (total) => whole(total[name] ?? undefined),
      })
    return {
      timestamp: t.expose('timestamp', { type: 'DateTime', description: 'Where the span begins.' }),
      nodeCount: t.exposeInt('nodeCount', { description: 'How many machines measured anything in it.' }),
      cpuUsage: usage('cpuUsage', 'mean', 'The mean usage of processors, in percent.'),
      cpuUsageMin: usage('cpuUsage', 'min', 'The lowest of any machine, in percent.'),
      cpuUsageMax: usage('cpuUsage', 'max', 'The highest of any machine, in percent.'),
      memoryUsage: usage('memoryUsage', 'mean', 'The mean usage of memory, in percent.'),
      memoryUsageMin: usage('memoryUsage', 'min', 'The lowest of any machine, in percent.'),
      memoryUsageMax: usage('memoryUsage', 'max', 'The highest of any machine, in percent.'),
      memoryUsedBytes: bytes('memoryUsedBytes', 'How much memory is used, in bytes.'),
      memoryTotalBytes: bytes('memoryTotalBytes', 'How much memory there is, in bytes.'),
      diskUsage: usage(
        'diskUsage',
        'mean',
        'How full filesystems of data folders are on average, in percent.',
      ),
      diskUsageMax: usage('diskUsage', 'max', 'How full the fullest is, in percent.'),
      networkRxBytesPerSecond: t.exposeFloat('networkRxBytesPerSecond', {
        nullable: true,
        description: 'What is received, in bytes per second.',
      }),
      networkTxBytesPerSecond: t.exposeFloat('networkTxBytesPerSecond', {
        nullable: true,
        description: 'What is sent, in bytes per second.',
      }),
      gpuCount: t.exposeInt('gpuCount', { description: 'How many GPUs there are.' }),
      gpuUtilization: usage('gpuUtilization', 'mean', 'The mean utilization of GPUs, in percent.'),
      gpuUtilizationMin: usage('gpuUtilization', 'min', 'The lowest of any GPU, in percent.'),
      gpuUtilizationMax: usage('gpuUtilization', 'max', 'The highest of any GPU, in percent.'),
      gpuMemoryUsedBytes: bytes('gpuMemoryUsedBytes', 'How much memory of GPUs is used, in bytes.'),
      gpuMemoryTotalBytes: bytes('gpuMemoryTotalBytes', 'How much memory GPUs have, in bytes.'),
      gpuPowerWatts: t.exposeFloat('gpuPowerWatts', {
        nullable: true,
        description: 'What GPUs draw, in watts.',
      }),
    }
  },
})

const SINCE = 'From when on; an hour before until unless given.'
const UNTIL = 'Until when, not included; now unless given.'
const MAX_POINTS = 'The most points, 1 to 2,000.'
const KEPT =
  'Points are of spans of equal length, without those of which nothing is known. Samples are kept for two hours, then minutes for two days, quarters of an hour for thirty, and four hours for as long as telemetry is kept: what is older is told no finer than that.'

builder.prismaObjectFields(ComputeNodeObject, (t) => ({
  latestTelemetry: t.field({
    type: TelemetryType,
    nullable: true,
    description:
      'What it measured last; null when it has not since the server started. While somebody asks, or subscribes to computeNodeTelemetry, it measures every 2 s, otherwise every 15 s.',
    resolve: (node, _args, { services }) => services.telemetry.latest(node),
  }),
  telemetry: t.field({
    type: [TelemetryType],
    description: `What it measured, by time, for a chart. ${KEPT}`,
    args: {
      since: t.arg({ type: 'DateTime', description: SINCE }),
      until: t.arg({ type: 'DateTime', description: UNTIL }),
      maxPoints: t.arg.int({ required: true, defaultValue: 300, description: MAX_POINTS }),
    },
    resolve: (node, args, { services }) => services.telemetry.history(node, args),
  }),
}))

builder.queryField('telemetry', (t) =>
  t.field({
    type: [TelemetryTotalType],
    description: `What several compute nodes measured, together, by time, for a chart; in spans of a minute or longer. ${KEPT}`,
    args: {
      ids: t.arg.idList({ description: 'Only these compute nodes; all unless given.' }),
      filter: t.arg({ type: ComputeNodeFilterInput, description: 'Only those that match.' }),
      since: t.arg({ type: 'DateTime', description: SINCE }),
      until: t.arg({ type: 'DateTime', description: UNTIL }),
      maxPoints: t.arg.int({ required: true, defaultValue: 300, description: MAX_POINTS }),
    },
    resolve: (_root, args, context) => context.services.telemetry.totals(principalOf(context), args),
  }),
)

builder.subscriptionField('computeNodeTelemetry', (t) =>
  t.field({
    type: TelemetryType,
    description:
      'What a compute node measures: the latest at once, then each sample as it comes, every 2 s. A slow reader gets the latest, and misses those in between. Ends when the node is removed.',
    args: { computeNodeId: t.arg.id({ required: true, description: 'The compute node.' }) },
    subscribe: (_root, { computeNodeId }, context) =>
      context.services.telemetry.watch(principalOf(context), computeNodeId),
    resolve: (point) => point,
  }),
)
