import { z } from 'zod'
import { JsonObjectInput, NameInput } from '../input.ts'
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

/** What a machine may say of itself, in characters of JSON: everybody who lists nodes is told it. */
const MAX_HARDWARE_LENGTH = 256 * 1024

/** What a machine is. */
export const HardwareInput = JsonObjectInput.refine(
  (hardware) => JSON.stringify(hardware).length <= MAX_HARDWARE_LENGTH,
  `Must have at most ${MAX_HARDWARE_LENGTH} characters as JSON.`,
)

/** Where what a node serves is reached: requests go there, so it must be a host and nothing else of an address. */
export const AddressInput = z
  .string()
  .min(1, 'Must not be empty.')
  .max(253, 'Must have at most 253 characters.')
  .regex(/^[\w.:%-]+$/, 'Must be an address or a host name.')

/** The input of updateComputeNode. Leaves a field that is not given alone; null empties one that can be empty. */
export const UpdateComputeNodeInput = z.object({
  computeNodeId: z.string(),
  name: OwnNameInput.optional(),
  type: z.enum(NODE_TYPES).optional(),
  location: NameInput.nullable().optional(),
  address: AddressInput.nullable().optional(),
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
