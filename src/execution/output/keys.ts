/** What a key of a metrics line stands for; only `metric` becomes a metric. */
export type KeyRole = 'step' | 'totalSteps' | 'epoch' | 'progress' | 'percentage' | 'ignored' | 'metric'

/**
 * Keys that count steps, and how much they are believed: where a line has several, the highest wins
 * (`iter` may count micro-batches where `step` counts optimizer steps).
 */
const STEP_RANKS: ReadonlyMap<string, number> = new Map([
  ['global_step', 3],
  ['step', 3],
  ['_step', 3],
  ['current_step', 3],
  ['current_steps', 3],
  ['train_step', 3],
  ['training_step', 3],
  ['completed_step', 3],
  ['optimizer_step', 3],
  ['num_updates', 2],
  ['iteration', 2],
  ['train_iteration', 2],
  ['iter', 1],
  ['train_iter', 1],
])

const ROLES: ReadonlyMap<string, KeyRole> = new Map([
  ...roles('totalSteps', [
    'total_steps',
    'max_steps',
    'num_steps',
    'num_training_steps',
    'max_train_steps',
    'total_optimization_steps',
    'total_iterations',
    'total_iters',
    'max_iters',
  ]),
  ...roles('epoch', ['epoch', 'current_epoch', 'train_epoch', 'training_epoch', 'num_epoch']),
  ...roles('progress', ['progress']),
  ...roles('percentage', ['percentage', 'percent']),
  // Where and when a line was written, and how the run is set up: numbers, but nothing that is measured.
  ...roles('ignored', [
    ...['timestamp', '_timestamp', 'ts', 'asctime', 'created', 'msecs', 'eta', 'eta_seconds'],
    ...['pid', 'ppid', 'process', 'thread', 'lineno', 'line', 'level', 'levelno', 'port', 'version', 'v_num'],
    ...['rank', 'local_rank', 'node_rank', 'global_rank', 'world_size', 'local_world_size', 'seed', 'id'],
    ...['epochs', 'num_epochs', 'total_epochs', 'max_epochs', 'num_train_epochs', 'n_epochs'],
  ]),
])

/** Words for what a training is about: a line with one of them as a key is a metrics line. */
const OUTCOMES = new Set(
  [
    ...['loss', 'losses', 'nll', 'ppl', 'perplexity', 'bpb', 'bpc', 'entropy', 'kl', 'reward', 'rewards'],
    ...[
      'acc',
      'acc1',
      'acc5',
      'accuracy',
      'precision',
      'recall',
      'f1',
      'auc',
      'auroc',
      'mcc',
      'em',
      'map',
      'miou',
    ],
    ...[
      'iou',
      'bleu',
      'sacrebleu',
      'rouge',
      'rouge1',
      'rouge2',
      'rougel',
      'rougelsum',
      'meteor',
      'wer',
      'cer',
    ],
    ...['mse', 'mae', 'rmse', 'r2', 'psnr', 'ssim', 'fid', 'mfu', 'grad_norm', 'gradnorm', 'return'],
  ].flatMap((word) => word.split('_')),
)
// `grad_norm` counts as a whole only: its parts alone are words of settings.
OUTCOMES.delete('grad')
OUTCOMES.delete('norm')

/** Beside one of these, an outcome's word names a setting of it: `loss_scale`, `kl_coef`, `reward_model`. */
const SETTINGS = new Set([
  ...[
    'scale',
    'scaling',
    'scaler',
    'weight',
    'weights',
    'coef',
    'coeff',
    'coefficient',
    'fn',
    'function',
    'type',
  ],
  ...[
    'name',
    'alpha',
    'beta',
    'gamma',
    'smoothing',
    'threshold',
    'clip',
    'clipping',
    'max',
    'min',
    'target',
    'model',
  ],
  ...[
    'file',
    'path',
    'dir',
    'every',
    'interval',
    'freq',
    'frequency',
    'size',
    'num',
    'count',
    'margin',
    'ctl',
    'penalty',
  ],
  ...[
    'steps',
    'warmup',
    'patience',
    'window',
    'reduction',
    'config',
    'class',
    'id',
    'ignore',
    'factor',
    'use',
  ],
])

/** Further words that may stand before a value without `=` or `:` (`lr 1e-4, time 100ms`). */
const COMPANIONS = new Set([
  ...[
    'lr',
    'learning rate',
    'norm',
    'grad norm',
    'grad_norm',
    'time',
    'dt',
    'tps',
    'throughput',
    'wps',
    'ups',
    'mem',
  ],
  ...[
    'memory',
    'tok/s',
    'tok/sec',
    'tokens/s',
    'tokens/sec',
    'samples/s',
    'samples/sec',
    'data',
    'iter_dt',
    'tokens',
  ],
])

/** What may stand before the word of such a pair: `train loss 4.28`, `global step 100`. */
const QUALIFIERS = new Set([
  ...[
    'train',
    'training',
    'val',
    'valid',
    'validation',
    'eval',
    'evaluation',
    'test',
    'dev',
    'avg',
    'average',
    'mean',
  ],
  ...[
    'lm',
    'ce',
    'aux',
    'total',
    'best',
    'final',
    'global',
    'optimizer',
    'running',
    'completed',
    'current',
    'mlm',
    'kl',
  ],
])

/** In seconds since 1970 this is early in 1973: no training takes so long, and no log is so old. */
const FIRST_TIMESTAMP = 1e8

/** The last part of a key's path: `train/global_step` counts as `global_step`. */
function leaf(key: string): string {
  return key.slice(key.lastIndexOf('/') + 1).toLowerCase()
}

/** What `key` stands for; `value` tells a duration from a point in time where both are called `time`. */
export function roleOf(key: string, value: number): KeyRole {
  const name = leaf(key)
  if (STEP_RANKS.has(name)) return 'step'
  const role = ROLES.get(name)
  if (role !== undefined) return role
  return name === 'time' && value >= FIRST_TIMESTAMP ? 'ignored' : 'metric'
}

/** How much a step key is believed, above 0; a key at the top of its record before one within a part of it. */
export function stepRank(key: string): number {
  return (STEP_RANKS.get(leaf(key)) ?? 0) + (key.includes('/') ? 0 : 0.5)
}

/** Whether the key names something that a training is judged by, as `train_loss` does and `loss_scale` not. */
export function isOutcome(key: string): boolean {
  const lower = key.toLowerCase()
  if (lower.endsWith('grad_norm')) return !lower.startsWith('max')
  let found = false
  for (const word of lower.split(/[\s/_.@:-]{1,8}/)) {
    if (SETTINGS.has(word)) return false
    found ||= OUTCOMES.has(word)
  }
  return found
}

/** Whether the key belongs to an evaluation: it then says nothing of the training's own progress. */
export function isEvaluation(key: string): boolean {
  return /^(?:eval|val|valid|validation|test|dev|predict)(?:uation)?[_/. ]/i.test(key)
}

/** Whether `name` may stand right before a value, with only a blank between them. */
export function standsAlone(name: string): boolean {
  const lower = name.toLowerCase()
  return (
    COMPANIONS.has(lower) ||
    lower === 'epoch' ||
    lower === 'steps' ||
    STEP_RANKS.has(lower) ||
    isOutcome(lower)
  )
}

/** Whether the two words may stand right before a value: `train loss 4.28`, `grad norm 1.2`. */
export function standTogether(first: string, second: string): boolean {
  if (COMPANIONS.has(`${first} ${second}`.toLowerCase())) return true
  return QUALIFIERS.has(first.toLowerCase()) && standsAlone(second)
}

/** The form in which keys of text lines are stored: `Elapsed time (ms)` is `elapsed_time_ms`. */
export function normalizeKey(key: string): string {
  return key.toLowerCase().replaceAll(/[()]/g, ' ').trim().replaceAll(/\s+/g, '_')
}

function roles(role: KeyRole, names: string[]): [string, KeyRole][] {
  return names.map((name) => [name, role])
}
