import { z } from 'zod'
import { TextInput, WorkingDirectoryInput } from '../input.ts'
import { OwnNameInput } from '../names.ts'
import { ArgvInput, CommandInput } from '../projects/inputs.ts'

/** The most that the values of an environment may have together, in characters; a kernel takes about 2 MiB. */
const MAX_ENVIRONMENT_LENGTH = 64 * 1024

const VariableName = z
  .string()
  .max(250, 'Must have at most 250 characters.')
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Must be a name of letters, digits and _.')
  .refine((name) => !name.startsWith('TRAINYARD_'), 'Names that begin with TRAINYARD_ are for Trainyard.')

/** Variables by name. */
const EnvironmentInput = z
  .record(
    VariableName,
    z.string('Must be a text.').refine((value) => !value.includes('\0'), 'Must not contain NUL.'),
    'Must be an object of texts.',
  )
  .refine(
    (variables) =>
      Object.values(variables).reduce((length, value) => length + value.length, 0) <= MAX_ENVIRONMENT_LENGTH,
    `Must have at most ${MAX_ENVIRONMENT_LENGTH} characters in all.`,
  )

/** The input of createLauncher. */
export const CreateLauncherInput = z.object({
  name: OwnNameInput,
  description: TextInput.nullish().transform((value) => value ?? null),
  command: CommandInput,
  resumeArgs: ArgvInput.nullish().transform((value) => value ?? []),
  environment: EnvironmentInput.nullish().transform((value) => value ?? {}),
  workingDirectory: WorkingDirectoryInput.nullish().transform((value) => value ?? null),
})

/** The input of updateLauncher. Leaves a field that is not given alone; null empties one that can be empty. */
export const UpdateLauncherInput = z.object({
  ref: z.string(),
  name: OwnNameInput.optional(),
  description: TextInput.nullable().optional(),
  command: CommandInput.optional(),
  resumeArgs: ArgvInput.nullable()
    .transform((value) => value ?? [])
    .optional(),
  environment: EnvironmentInput.nullable()
    .transform((value) => value ?? {})
    .optional(),
  workingDirectory: WorkingDirectoryInput.nullable().optional(),
})

/** The input of deleteLauncher. */
export const DeleteLauncherInput = z.object({ ref: z.string() })
