import { z } from 'zod'
import { JsonObjectInput, NameInput, TextInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'

/** What every new run takes, started or resumed. */
export const NewRunInput = z.object({
  name: OwnNameInput.nullish(),
  model: TextInput.nullish(),
  datasetName: NameInput.nullish(),
  hyperparameters: JsonObjectInput.nullish(),
  resources: JsonObjectInput.nullish(),
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
export const CancelRunInput = z.object({
  runId: z.string(),
  graceSeconds: z.number().min(0, 'Must not be negative.').max(86_400, 'Must be at most a day.').nullish(),
})
