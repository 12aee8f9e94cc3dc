/** One state of a progress bar as tqdm draws it. */
export type Bar = {
  /** What stands before the percentage, without the colon behind it; '' for a bar without a description. */
  readonly description: string
  readonly current: number
  readonly total: number
  /** What follows the rate: `loss=0.53, lr=1e-4`. */
  readonly postfix: string
}

/** Behind the bar itself; the time that passed shows that the bar was not cut while it was written. */
const COUNTS =
  / {0,16}(\d{1,12})\/(\d{1,12}) \[(?:\d+ days?, )?[\d:]{1,16}<[^\],]{1,24}(?:, {1,4}[^\],]{1,40})?(?:, ?([^\]]{0,2000}))?\]/y
const PERCENT = /(\d{1,3})$/
const MAX_DESCRIPTION = 300
/** Wider than any terminal: a bar's line is no longer. */
const MAX_BAR = 1200

/**
 * The progress bar on a line: `Steps:   3%|▎  | 15/500 [00:10<05:30, 1.47it/s, loss=0.53]`. Null where there is
 * none, where it counts no whole numbers (bytes of a download), or where the line was cut within it.
 */
export function readBar(line: string): Bar | null {
  const percent = line.indexOf('%|')
  if (percent < 1 || percent > MAX_DESCRIPTION) return null
  const before = line.slice(0, percent)
  const digits = PERCENT.exec(before)
  if (digits === null) return null
  const close = line.indexOf('|', percent + 2)
  if (close === -1 || close - percent > MAX_BAR) return null
  COUNTS.lastIndex = close + 1
  const counts = COUNTS.exec(line)
  if (counts === null) return null
  const total = Number(counts[2])
  if (total === 0) return null
  return {
    description: before.slice(0, digits.index).trim().replace(/:$/, '').trim(),
    current: Math.min(Number(counts[1]), total),
    total,
    postfix: counts[3] ?? '',
  }
}

/** What a bar counts, as far as its description tells. */
export type BarKind =
  /** It has no description: the training's, or an evaluation's. */
  | { readonly kind: 'plain' }
  /** Steps or batches of the training. */
  | { readonly kind: 'steps' }
  /** The epochs of the training. */
  | { readonly kind: 'epochs' }
  /** The batches of one epoch: `Epoch 1/3`. */
  | { readonly kind: 'epoch'; readonly epoch: number; readonly epochs?: number }
  /** torchtune's `1|20|Loss: 1.23`: the bar counts within the epoch, the step is said. */
  | { readonly kind: 'torchtune'; readonly epoch: number; readonly step: number }
  /** Anything else that takes time. */
  | { readonly kind: 'other' }

const TRAINING =
  /^\W{0,4}(?:train(?:ing)?|epochs?|(?:global |optimi[sz]er )?steps?|iter(?:ation)?s?|fine-?tun(?:e|ing)|pre-?train(?:ing)?|sft|dpo|grpo|ppo)\b/i
const NOT_TRAINING =
  /eval|valid|\btest|predict|dataset|split|token|download|load|\bmap\b|filter|generat|sav(?:e|ing)|process|pack|example|sanity/i
const TORCHTUNE = /^(\d{1,9})\|(\d{1,10})\|/
const EPOCH = /\bepochs?\b\s{0,4}[:#=]?\s{0,4}\[?\s{0,4}(\d{1,7})(?:\s{0,4}(?:\/|of)\s{0,4}(\d{1,7}))?/i

/** Tells the bars of a training from those of loading, mapping and evaluating. */
export function barKind(description: string): BarKind {
  if (description === '') return { kind: 'plain' }
  const torchtune = TORCHTUNE.exec(description)
  if (torchtune !== null)
    return { kind: 'torchtune', epoch: Number(torchtune[1]), step: Number(torchtune[2]) }
  if (!TRAINING.test(description) || NOT_TRAINING.test(description)) return { kind: 'other' }
  const epoch = EPOCH.exec(description)
  if (epoch !== null) {
    const epochs = epoch[2] === undefined ? undefined : Number(epoch[2])
    return { kind: 'epoch', epoch: Number(epoch[1]), epochs }
  }
  return /\bepochs?\b/i.test(description) ? { kind: 'epochs' } : { kind: 'steps' }
}
