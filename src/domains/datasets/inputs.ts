import { z } from 'zod'
import { JsonObjectInput, NameInput, TextInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { VISIBILITIES } from '../projects/roles.ts'

const optionalName = NameInput.nullish().transform((value) => value || null)

/** The input of createDataset. */
export const CreateDatasetInput = z.object({
  name: OwnNameInput,
  type: optionalName,
  source: TextInput.nullish().transform((value) => value ?? null),
  taskType: optionalName,
  metadata: JsonObjectInput.nullish().transform((value) => value ?? {}),
  visibility: z
    .enum(VISIBILITIES)
    .nullish()
    .transform((value) => value ?? 'PRIVATE'),
  project: z.string().nullish(),
})

/** The input of updateDataset. Leaves a field that is not given alone; null empties one that can be empty. */
export const UpdateDatasetInput = z.object({
  ref: z.string(),
  type: NameInput.nullable().optional(),
  source: TextInput.nullable().optional(),
  taskType: NameInput.nullable().optional(),
  metadata: JsonObjectInput.nullable()
    .transform((value) => value ?? {})
    .optional(),
  visibility: z.enum(VISIBILITIES).optional(),
  project: z.string().nullable().optional(),
})

/** The input of deleteDataset. */
export const DeleteDatasetInput = z.object({ ref: z.string() })
/** The input of deleteDatasetFile. */
export const DeleteDatasetFileInput = z.object({ fileId: z.string() })
/** The input of deleteTrainConfig. */
export const DeleteTrainConfigInput = z.object({ dataset: z.string() })

/** File systems take 255 bytes. */
const MAX_FILENAME_BYTES = 255

/** The name that an upload comes with. */
export const FilenameInput = z.object({
  file: NameInput.refine(
    (name) => !name.includes('/') && !name.includes('\\') && !name.startsWith('.'),
    'The name of the file must not contain / or \\ nor start with a dot.',
  ).refine(
    (name) => Buffer.byteLength(name) <= MAX_FILENAME_BYTES,
    `The name of the file must have at most ${MAX_FILENAME_BYTES} bytes in UTF-8.`,
  ),
})
