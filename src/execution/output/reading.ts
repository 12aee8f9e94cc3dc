import { isEvaluation, isOutcome, roleOf, stepRank } from './keys.ts'

/** The highest step that is believed: what the database's integer columns hold. */
const MAX_STEP = 2_147_483_647
const MAX_METRICS = 512
const MAX_KEY_LENGTH = 200

/** What one line says, before it is known which step it belongs to. */
export type Reading = {
  /** Values by key, in the line's order; they may be NaN or infinite. */
  readonly metrics: Map<string, number>
  step?: number
  totalSteps?: number
  epoch?: number
  /** How many epochs there are, where the line says `Epoch 1/3`. */
  epochs?: number
  /** 0 to 1, where the line gives it itself. */
  progress?: number
  /** Whether a metric is one that a training is judged by. */
  hasOutcome: boolean
  /** Whether such a metric is the training's, not an evaluation's. */
  hasTrainingOutcome: boolean
  /** How much the key was believed that `step` comes from. */
  stepRank: number
}

/** A line of which nothing is known yet. */
export function emptyReading(): Reading {
  return { metrics: new Map(), hasOutcome: false, hasTrainingOutcome: false, stepRank: 0 }
}

/** Adds one key of a line to what the line says; `total` is the second number of `step 20/500`. */
export function addToReading(reading: Reading, key: string, value: number, total?: number): void {
  switch (roleOf(key, value)) {
    case 'step':
      if (isStep(value) && stepRank(key) > reading.stepRank) {
        reading.step = value
        reading.stepRank = stepRank(key)
        if (total !== undefined && isTotal(total)) reading.totalSteps = total
      }
      break
    case 'totalSteps':
      if (isTotal(value)) reading.totalSteps = value
      break
    case 'epoch':
      if (Number.isFinite(value) && value >= 0) {
        reading.epoch = value
        if (total !== undefined && isTotal(total)) reading.epochs = total
      }
      break
    case 'progress':
      if (value >= 0) reading.progress = Math.min(1, value > 1 ? value / 100 : value)
      break
    case 'percentage':
      if (value >= 0) reading.progress = Math.min(1, value / 100)
      break
    case 'metric':
      // `9832/10000` is neither of its numbers.
      if (total === undefined) addMetric(reading, key, value)
      break
    case 'ignored':
      break
  }
}

/** Whether the line says anything at all. */
export function isEmpty(reading: Reading): boolean {
  return (
    reading.metrics.size === 0 &&
    reading.step === undefined &&
    reading.totalSteps === undefined &&
    reading.epoch === undefined &&
    reading.progress === undefined
  )
}

function addMetric(reading: Reading, key: string, value: number): void {
  if (key.length === 0 || key.length > MAX_KEY_LENGTH || reading.metrics.size >= MAX_METRICS) return
  reading.metrics.set(key, value)
  if (!reading.hasTrainingOutcome && isOutcome(key)) {
    reading.hasOutcome = true
    reading.hasTrainingOutcome = !isEvaluation(key)
  }
}

function isStep(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MAX_STEP
}

function isTotal(value: number): boolean {
  return isStep(value) && value > 0
}
