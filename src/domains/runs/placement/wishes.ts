import { z } from 'zod'
import type { Prisma, Run } from '../../../generated/prisma/client.ts'
import { GIB } from '../../../gib.ts'
import type { Labels } from '../../compute-nodes/labels.ts'
import { type JsonObject, JsonObjectInput, parseInput, storedObject } from '../../input.ts'

/** What a run needs of the machine that it runs on. */
export interface RunWishes {
  /** The node that it must run on; null for any that fits. */
  nodeId: string | null
  /** What must be said of the node. */
  labels: Labels
  /** How many GPUs it has for itself; null when it does not say: then it sees all, and none is its own. */
  gpuCount: number | null
  /** A part of the name of each of these GPUs, in any case; null for any. */
  gpuType: string | null
  /** How much memory is kept for it; 0 when it does not say. */
  memoryBytes: number
}

/** The wishes that stand in the resources of a run. */
type ResourceWishes = Pick<RunWishes, 'gpuCount' | 'gpuType' | 'memoryBytes'>

/** The most GPUs that a run may ask for: more than any machine has. */
const MAX_GPUS = 1024

const GpuCount = z
  .int(`Must be a whole number from 0 to ${MAX_GPUS}.`)
  .min(0, 'Must not be negative.')
  .max(MAX_GPUS, `Must be at most ${MAX_GPUS}.`)
  .nullish()

const Wishes = z
  .object({
    gpuCount: GpuCount,
    gpus: GpuCount,
    gpuType: z
      .string('Must be a text.')
      .trim()
      .min(1, 'Must not be empty.')
      .max(200, 'Must have at most 200 characters.')
      .nullish(),
    memoryBytes: z.int('Must be a whole number of bytes.').min(0, 'Must not be negative.').nullish(),
    memoryGiB: z
      .number('Must be a number.')
      .min(0, 'Must not be negative.')
      .max(Number.MAX_SAFE_INTEGER / GIB, 'Is more than any machine has.')
      .nullish(),
  })
  .superRefine(({ gpuCount, gpus, gpuType, memoryBytes, memoryGiB }, context) => {
    const contradict = (path: string, other: string) =>
      context.addIssue({ code: 'custom', path: [path], message: `Says something else than ${other}.` })
    if (bothGiven(gpuCount, gpus) && gpuCount !== gpus) contradict('gpus', 'gpuCount')
    if (bothGiven(memoryBytes, memoryGiB) && memoryBytes !== toBytes(memoryGiB)) {
      contradict('memoryGiB', 'memoryBytes')
    }
    if (gpuType && (gpuCount ?? gpus) === 0) contradict('gpuType', 'a number of GPUs that is 0')
  })

/** What a run asks for: a JSON object, of which what is known here is checked. */
export const ResourcesInput = JsonObjectInput.superRefine((resources, context) => {
  for (const { path, message } of Wishes.safeParse(resources).error?.issues ?? []) {
    context.addIssue({ code: 'custom', path, message })
  }
})

/** What stands in the resources of a run for the choice of its place. @throws ValidationError */
export function resourceWishes(resources: JsonObject): ResourceWishes {
  const { resources: wishes } = parseInput(z.object({ resources: Wishes }), { resources })
  const gpuType = wishes.gpuType ?? null
  return {
    gpuCount: wishes.gpuCount ?? wishes.gpus ?? (gpuType === null ? null : 1),
    gpuType,
    memoryBytes: wishes.memoryBytes ?? (wishes.memoryGiB ? toBytes(wishes.memoryGiB) : 0),
  }
}

/** The columns that wishes are stored in. */
export function wishColumns({ nodeId, labels, gpuCount, gpuType, memoryBytes }: RunWishes) {
  return {
    ...(nodeId !== null && { wantedNode: { connect: { id: nodeId } } }),
    ...(Object.keys(labels).length > 0 && { wantedLabels: labels }),
    gpuCount,
    gpuType,
    memoryBytes: memoryBytes || null,
  } satisfies Partial<Prisma.RunCreateInput>
}

/** The columns of a run that its wishes stand in. */
export const WISH_COLUMNS = {
  wantedNodeId: true,
  wantedLabels: true,
  gpuCount: true,
  gpuType: true,
  memoryBytes: true,
} as const

/** The wishes that a run was stored with. */
export function storedWishes(run: Pick<Run, keyof typeof WISH_COLUMNS>): RunWishes {
  return {
    nodeId: run.wantedNodeId,
    labels: storedLabels(run.wantedLabels),
    gpuCount: run.gpuCount,
    gpuType: run.gpuType,
    memoryBytes: Number(run.memoryBytes ?? 0),
  }
}

function storedLabels(labels: unknown): Labels {
  return parseInput(z.record(z.string(), z.string()), storedObject(labels ?? {}))
}

function bothGiven(one: number | null | undefined, other: number | null | undefined): other is number {
  return typeof one === 'number' && typeof other === 'number'
}

const toBytes = (gib: number) => Math.round(gib * GIB)
