import { z } from 'zod'
import { JsonObjectInput, NameInput, TextInput } from '../input.ts'
import { PlacementInput } from '../runs/inputs.ts'

const Argument = z
  .string()
  .max(10_000, 'Must have at most 10,000 characters.')
  .refine((element) => !element.includes('\0'), 'Must not contain NUL.')

const ArgumentsInput = z.array(Argument).max(200, 'Must have at most 200 elements.')

const TagsInput = z
  .array(NameInput)
  .max(100, 'Must have at most 100 tags.')
  .transform((tags) => [...new Set(tags)])

/** What clients write as `model`. An engine would take one that begins with a dash for an argument. */
const ServedName = NameInput.refine((name) => !name.startsWith('-'), 'Must not begin with a dash.')

const ModelPath = z.string().min(1, 'Must not be empty.').max(4096, 'Must have at most 4096 characters.')

/** A path on a model server, such as /health. */
const HealthPath = z
  .string()
  .max(1000, 'Must have at most 1000 characters.')
  .regex(/^\/(?!\/)[\x21-\x7e]*$/, 'Must be a path that begins with one slash, such as /health.')

const GpuCount = z.int().min(0, 'Must not be negative.').max(64, 'Must be at most 64.')
const GpuIndex = z.int().min(0, 'Must not be negative.').max(1023, 'Must be at most 1023.')
const IdleSeconds = z
  .int()
  .min(1, 'Must be at least 1.')
  .max(30 * 86_400, 'Must be at most 30 days.')

/** The settings that a deployment is made with; what is null or left out takes its default. */
const Settings = z.object({
  name: ServedName.nullish(),
  modelPath: ModelPath.nullish(),
  artifactId: z.string().nullish(),
  modelVersion: NameInput.nullish(),
  environment: NameInput.nullish(),
  tags: TagsInput.nullish(),
  engine: NameInput.nullish(),
  extraArgs: ArgumentsInput.nullish(),
  preferredGpu: GpuIndex.nullish(),
  gpuCount: GpuCount.nullish(),
  placement: PlacementInput.nullish(),
  healthPath: HealthPath.nullish(),
  idleUnloadSeconds: IdleSeconds.nullish(),
})

const OneModel = 'Give either modelPath or artifactId.'
const both = ({ modelPath, artifactId }: z.output<typeof Settings>) =>
  Boolean(modelPath) && Boolean(artifactId)

/** The input of createDeployment. */
export const CreateDeploymentInput = Settings.extend({
  project: z.string().nullish(),
  idempotencyKey: z
    .string()
    .min(1, 'Must not be empty.')
    .max(200, 'Must have at most 200 characters.')
    .nullish(),
}).refine((input) => !both(input) && Boolean(input.modelPath ?? input.artifactId), {
  path: ['modelPath'],
  message: OneModel,
})

/** The input of updateDeployment: what is left out stays, null takes the default again. */
export const UpdateDeploymentInput = Settings.extend({ deploymentId: z.string() }).refine(
  (input) => !both(input),
  { path: ['modelPath'], message: OneModel },
)

/** The input of stopDeployment. */
export const StopDeploymentInput = z.object({ deploymentId: z.string(), force: z.boolean().nullish() })

/** The input of startDeployment and deleteDeployment. */
export const DeploymentInput = z.object({ deploymentId: z.string() })

const EngineFields = {
  name: NameInput.regex(
    /^[a-zA-Z0-9][\w.-]*$/,
    'Must consist of letters, digits, dots, dashes and underscores.',
  ),
  description: TextInput.nullish(),
  command: ArgumentsInput.refine(
    (argv) => (argv[0] ?? '') !== '',
    'Must name a program in its first element.',
  )
    .refine((argv) => argv.some((element) => element.includes('{port}')), 'Must say {port} somewhere.')
    .refine((argv) => argv.some((element) => element.includes('{model}')), 'Must say {model} somewhere.'),
  healthPath: HealthPath.nullish(),
  environment: JsonObjectInput.pipe(
    z.record(
      z
        .string()
        .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'Must be the name of a variable.')
        .refine((name) => !/^(TRAINYARD_|NODE_OPTIONS$)/.test(name), 'Must not be a setting of the server.'),
      Argument,
    ),
  ).nullish(),
}

/** The input of createEngine. */
export const CreateEngineInput = z.object(EngineFields)

/** The input of updateEngine: what is left out stays. */
export const UpdateEngineInput = z.object({
  ref: z.string(),
  name: EngineFields.name.optional(),
  description: EngineFields.description,
  command: EngineFields.command.optional(),
  healthPath: EngineFields.healthPath,
  environment: EngineFields.environment,
})

/** The input of deleteEngine. */
export const DeleteEngineInput = z.object({ ref: z.string() })
