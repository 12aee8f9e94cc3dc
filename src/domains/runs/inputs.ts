import { z } from 'zod'
import { LabelsInput, toLabels } from '../compute-nodes/labels.ts'
import { JsonObjectInput, NameInput, TextInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { ResourcesInput } from './placement/wishes.ts'

/** The most runs that one call starts or cancels. */
export const MAX_BATCH = 100
/** A priority is at most this far from that of others. */
const MAX_PRIORITY = 100

/** Where a run or a deployment is to be: on one node, or on one of those that have labels. */
export const PlacementInput = z.object({
  node: z.string().nullish(),
  labels: LabelsInput.nullish().transform((labels) => toLabels(labels ?? [])),
})

const GraceSeconds = z
  .number()
  .min(0, 'Must not be negative.')
  .max(86_400, 'Must be at most a day.')
  .nullish()

/** What every new run takes, started or resumed. */
export const NewRunInput = z.object({
  name: OwnNameInput.nullish(),
  model: TextInput.nullish(),
  datasetName: NameInput.nullish(),
  hyperparameters: JsonObjectInput.nullish(),
  resources: ResourcesInput.nullish(),
  placement: PlacementInput.nullish(),
  priority: z
    .int('Must be a whole number.')
    .min(-MAX_PRIORITY, `Must be at least -${MAX_PRIORITY}.`)
    .max(MAX_PRIORITY, `Must be at most ${MAX_PRIORITY}.`)
    .nullish(),
  idempotencyKey: z
    .string()
    .min(1, 'Must not be empty.')
    .max(200, 'Must have at most 200 characters.')
    .nullish(),
})

/** The input of startRun. */
export const StartRunInput = NewRunInput.extend({ project: z.string() })

/** The input of resumeRun. */
export const ResumeRunInput = NewRunInput.extend({ runId: z.string(), artifactId: z.string().nullish() })

/** The input of cancelRun. */
export const CancelRunInput = z.object({ runId: z.string(), graceSeconds: GraceSeconds })

/** The input of startRuns; each run is checked by itself. */
export const StartRunsInput = z.object({ runs: batchOf(z.unknown()) })

/** The input of cancelRuns. */
export const CancelRunsInput = z
  .object({
    runIds: batchOf(z.string()).nullish(),
    project: z.string().nullish(),
    computeNode: z.string().nullish(),
    graceSeconds: GraceSeconds,
  })
  .superRefine(({ runIds, project, computeNode }, context) => {
    if ((runIds == null) !== (project == null && computeNode == null)) return
    context.addIssue({
      code: 'custom',
      path: [],
      message: 'Must name either runIds, or a project, a compute node or both.',
    })
  })

function batchOf<Item extends z.ZodType>(item: Item) {
  return z.array(item).min(1, 'Must not be empty.').max(MAX_BATCH, `Must be at most ${MAX_BATCH}.`)
}
