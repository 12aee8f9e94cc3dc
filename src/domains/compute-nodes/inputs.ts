import { z } from 'zod'
import { NameInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { LabelsInput } from './labels.ts'
import { NODE_TYPES } from './status.ts'

/** What somebody can have done with what a node has. */
export const NODE_OPERATIONS = ['START', 'STOP', 'RESTART', 'DRAIN'] as const
export type NodeOperation = (typeof NODE_OPERATIONS)[number]

/** The most runs that a node may be given at a time. */
const MAX_RUNS = 1000
/** How long a restart may wait for the end of what it ends, in seconds. */
const MAX_RESTART_GRACE = 600

/** The input of updateComputeNode. Leaves a field that is not given alone; null empties one that can be empty. */
export const UpdateComputeNodeInput = z.object({
  computeNodeId: z.string(),
  name: OwnNameInput.optional(),
  type: z.enum(NODE_TYPES).optional(),
  location: NameInput.nullable().optional(),
  address: NameInput.regex(/^[^\s/]*$/, 'Must be an address or a host name.')
    .nullable()
    .optional(),
  labels: LabelsInput.nullable()
    .transform((labels) => labels ?? [])
    .optional(),
  maxRuns: z
    .int('Must be a whole number.')
    .min(0, 'Must not be negative.')
    .max(MAX_RUNS, `Must be at most ${MAX_RUNS}.`)
    .optional(),
})

/** The input of deleteComputeNode. */
export const DeleteComputeNodeInput = z.object({ computeNodeId: z.string() })

/** The input of operateComputeNode. */
export const OperateComputeNodeInput = z
  .object({
    computeNodeId: z.string(),
    operation: z.enum(NODE_OPERATIONS),
    graceSeconds: z.number().min(0, 'Must not be negative.').max(86_400, 'Must be at most a day.').nullish(),
  })
  .refine(
    ({ operation, graceSeconds }) => operation !== 'RESTART' || (graceSeconds ?? 0) <= MAX_RESTART_GRACE,
    {
      path: ['graceSeconds'],
      message: `Must be at most ${MAX_RESTART_GRACE} for RESTART, which waits for the end of what it starts again.`,
    },
  )
