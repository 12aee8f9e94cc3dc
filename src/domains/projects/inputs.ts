import { z } from 'zod'
import { JsonObjectInput, NameInput, TextInput, WorkingDirectoryInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { PROJECT_ROLES, VISIBILITIES } from './roles.ts'
import { PROJECT_STATUSES } from './status.ts'

/** An argv template, or a part of one. */
export const ArgvInput = z
  .array(z.string().refine((element) => !element.includes('\0'), 'Must not contain NUL.'))
  .max(1000, 'Must have at most 1000 elements.')

const TagsInput = z
  .array(NameInput)
  .max(100, 'Must have at most 100 tags.')
  .transform((tags) => [...new Set(tags)])

/** An argv template as a whole. */
export const CommandInput = ArgvInput.refine(
  (argv) => (argv[0] ?? '') !== '',
  'Must name a program in its first element.',
)

const optionalName = NameInput.nullish().transform((value) => value || null)
const optionalText = TextInput.nullish().transform((value) => value ?? null)
const workingDirectory = WorkingDirectoryInput.nullish().transform((value) => value ?? null)

/** The input of createProject. */
export const CreateProjectInput = z.object({
  name: OwnNameInput,
  description: optionalText,
  objective: optionalText,
  taskType: optionalName,
  baseModel: optionalText,
  tags: TagsInput.nullish().transform((value) => value ?? []),
  defaultHyperparameters: JsonObjectInput.nullish().transform((value) => value ?? {}),
  datasetName: optionalName,
  trainConfigName: optionalName,
  command: CommandInput.nullish(),
  resumeArgs: ArgvInput.nullish(),
  workingDirectory,
  launcher: z.string().nullish(),
  visibility: z
    .enum(VISIBILITIES)
    .nullish()
    .transform((value) => value ?? 'PRIVATE'),
  status: z
    .enum(PROJECT_STATUSES)
    .nullish()
    .transform((value) => value ?? 'DRAFT'),
})

/** A field that may be left out, and that null empties. */
function orEmpty<Schema extends z.ZodType>(schema: Schema, empty: z.output<Schema>) {
  return schema
    .nullable()
    .transform((value) => value ?? empty)
    .optional()
}

/** The input of updateProject. Leaves a field that is not given alone; null empties one that can be empty and is refused for the others. */
export const UpdateProjectInput = z.object({
  ref: z.string(),
  name: OwnNameInput.optional(),
  description: TextInput.nullable().optional(),
  objective: TextInput.nullable().optional(),
  taskType: NameInput.nullable().optional(),
  baseModel: TextInput.nullable().optional(),
  tags: orEmpty(TagsInput, []),
  defaultHyperparameters: orEmpty(JsonObjectInput, {}),
  datasetName: NameInput.nullable().optional(),
  trainConfigName: NameInput.nullable().optional(),
  command: CommandInput.optional(),
  resumeArgs: orEmpty(ArgvInput, []),
  workingDirectory: WorkingDirectoryInput.nullable().optional(),
  status: z.enum(PROJECT_STATUSES).optional(),
  launcher: z.string().nullable().optional(),
  visibility: z.enum(VISIBILITIES).optional(),
  owner: z.string().optional(),
})

/** The input of deleteProject. */
export const DeleteProjectInput = z.object({ ref: z.string() })

/** The input of setProjectMember. */
export const SetProjectMemberInput = z.object({
  project: z.string(),
  user: z.string(),
  role: z.enum(PROJECT_ROLES),
})

/** The input of removeProjectMember. */
export const RemoveProjectMemberInput = z.object({ project: z.string(), user: z.string() })
