/** What a file or folder under a run's output is good for. */
export type ArtifactType = 'CHECKPOINT' | 'TENSORBOARD' | 'EVALUATION' | 'CONFIG' | 'MODEL' | 'FILE'

/**
 * Folders that are one checkpoint each, as trainers name them: `checkpoint-500`, `checkpoint_500`, `step_500`,
 * `epoch_3`, `global_step500` (DeepSpeed), `iter_0000500` (Megatron).
 */
const CHECKPOINT_FOLDER = /^(?:checkpoint[-_].+|(?:step|epoch|iter)[-_]\d.*|global_step[-_]?\d.*)$/i
const CHECKPOINT_FILE = /\.ckpt$|^(?:checkpoint|ckpt).*\.(?:pt|pth)$/i

/** The first that matches decides; within a trainer's output, a name means the same everywhere. */
const FILES: readonly (readonly [pattern: RegExp, type: ArtifactType])[] = [
  [/^events\.out\.tfevents\./, 'TENSORBOARD'],
  [CHECKPOINT_FILE, 'CHECKPOINT'],
  // The state of an optimizer is no model, though it has the ending of one.
  [/^(?:optimizer|scheduler|scaler|rng_state|random_states).*\.(?:bin|pt|pth)$/i, 'FILE'],
  [/^training_args/i, 'CONFIG'],
  [/(?:^|[^a-z])eval.*\.json$|results.*\.json$|metrics.*\.json$/i, 'EVALUATION'],
  [/\.ya?ml$|config.*\.json$/i, 'CONFIG'],
  [/\.(?:safetensors|pt|pth|bin|gguf|onnx)$/i, 'MODEL'],
]

/** Files that are still being written, by their names: they get another one when they are done. */
const IN_PROGRESS = /^tmp-|\.(?:tmp|part|incomplete)$/i
const IGNORED = /^\.|\.lock$|^__pycache__$/i

const STEP = /(?:^|[-_.=])(?:global_?step|step|iter(?:ation)?|checkpoint|ckpt)[-_=]?(\d{1,15})(?![\da-z])/i

/** Whether the name says that its file or folder is not finished. */
export function isInProgress(name: string): boolean {
  return IN_PROGRESS.test(name)
}

/** Whether the name is never part of an artifact: hidden, a lock, a cache, or not finished. */
export function isIgnored(name: string): boolean {
  return IGNORED.test(name) || isInProgress(name)
}

/** Whether a folder of this name is one checkpoint as a whole. */
export function isCheckpointFolder(name: string): boolean {
  return CHECKPOINT_FOLDER.test(name)
}

/** What a file of this name (without its folders) is. */
export function typeOfFile(name: string): ArtifactType {
  return FILES.find(([pattern]) => pattern.test(name))?.[1] ?? 'FILE'
}

/** The training step that a checkpoint's name gives (`epoch=3-step=500.ckpt`); an epoch is none. */
export function stepOfName(name: string): number | null {
  const digits = STEP.exec(name)?.[1]
  return digits === undefined ? null : toStep(digits)
}

/** The step, unless it is larger than what the database's integer columns hold. */
export function toStep(digits: string): number | null {
  const step = Number(digits)
  return Number.isInteger(step) && step <= 2_147_483_647 ? step : null
}
