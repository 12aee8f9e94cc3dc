import { z } from 'zod'
import { type Bar, type BarKind, barKind } from './bars.ts'
import type { Reading } from './reading.ts'

/** What is known of how far a training is; a field that is not known is left out. */
export type Progress = {
  /** 0 to 1. */
  progress?: number
  step?: number
  totalSteps?: number
  epoch?: number
}

const count = z.number().int().nonnegative()

/**
 * What an output parser remembers from line to line: small, and JSON as it is, so that it can be stored with the
 * position up to which the output was read.
 */
export const outputParserState = z.object({
  /** The last step that a line or a bar gave. */
  step: count.nullable(),
  totalSteps: count.nullable(),
  /** How many epochs there are. */
  epochs: count.nullable(),
  /** 0 where the first epoch is called 0, else 1; null before the first. */
  firstEpoch: z.union([z.literal(0), z.literal(1)]).nullable(),
  /** The last progress that was reported, 0 to 1. */
  progress: z.number().min(0).max(1).nullable(),
  /** Whether lines give their own step: then a bar does not. */
  explicit: z.boolean(),
  /** The last line that gave its step as `epoch 1 … step 20/500`; `restarts` once the steps began again. */
  within: z.object({ epoch: z.number(), step: count, total: count, restarts: z.boolean() }).nullable(),
  /** The bar that is taken for the training's; `offset` is what the bars before it in other epochs counted. */
  bar: z
    .object({
      total: count,
      current: count,
      offset: count,
      /** Whether it is certain: its description says so, or metrics of the training came while it ran. */
      certain: z.boolean(),
    })
    .nullable(),
  /** The step at which metrics were last taken from a bar. */
  barMetricsAt: count.nullable(),
  /** Numbers the metrics lines when nothing tells their steps. */
  counter: count,
  /** The keys that the current number has been used for. */
  counted: z.array(z.string()),
})

/** See {@link outputParserState}. */
export type OutputParserState = z.infer<typeof outputParserState>

/** The state of a parser that has not seen a line. */
export function freshState(): OutputParserState {
  return {
    step: null,
    totalSteps: null,
    epochs: null,
    firstEpoch: null,
    progress: null,
    explicit: false,
    within: null,
    bar: null,
    barMetricsAt: null,
    counter: 0,
    counted: [],
  }
}

/** Takes over what a line says of step, total and epoch, and returns the progress that follows from it. */
export function advanceByLine(state: OutputParserState, reading: Reading): Progress | undefined {
  const progress: Progress = {}
  if (reading.epoch !== undefined) progress.epoch = reading.epoch
  if (reading.epochs !== undefined) state.epochs = reading.epochs
  if (reading.step !== undefined) {
    if (!state.explicit && reading.totalSteps === undefined)
      state.totalSteps = totalOfBar(state, reading.step)
    state.explicit = true
    advanceStep(state, reading, reading.step)
    progress.step = state.step ?? undefined
  } else if (reading.totalSteps !== undefined) {
    state.totalSteps = reading.totalSteps
  }
  if (reading.step !== undefined || reading.totalSteps !== undefined)
    progress.totalSteps = state.totalSteps ?? undefined
  progress.progress =
    reading.progress ?? (reading.step === undefined ? undefined : fraction(state.step, state.totalSteps))
  if (progress.progress !== undefined) state.progress = progress.progress
  return compact(progress)
}

/** A bar that counted the same steps as the lines do keeps giving the total. */
function totalOfBar(state: OutputParserState, step: number): number | null {
  return state.totalSteps !== null && step <= state.totalSteps ? state.totalSteps : null
}

/**
 * `Epoch 1/3, step 20/500` does not tell whether the 500 are of the epoch or of all. They are of the epoch once
 * the step begins again in the next one; from then on steps are counted through.
 */
function advanceStep(state: OutputParserState, { epoch, totalSteps: total }: Reading, step: number): void {
  if (epoch !== undefined && total !== undefined) {
    state.firstEpoch ??= epoch === 0 ? 0 : 1
    const last = state.within
    const again = last !== null && last.total === total && epoch > last.epoch && step <= last.step
    const restarts = last?.total === total && (last.restarts || again)
    state.within = { epoch, step, total, restarts }
    if (restarts) {
      state.step = Math.max(0, Math.floor(epoch) - state.firstEpoch) * total + step
      state.totalSteps = state.epochs === null ? null : state.epochs * total
      return
    }
  }
  state.step = step
  if (total !== undefined) state.totalSteps = total
}

/** Takes over the state of a bar; undefined where it is not the training's. */
export function advanceByBar(state: OutputParserState, bar: Bar): Progress | undefined {
  const kind = barKind(bar.description)
  switch (kind.kind) {
    case 'other':
      return undefined
    case 'epochs':
      return advanceEpochs(state, bar)
    case 'epoch':
      return advanceWithinEpoch(state, bar, kind)
    case 'torchtune':
      state.explicit = true
      state.step = kind.step
      return { step: kind.step, epoch: kind.epoch }
    case 'plain':
    case 'steps':
      return follow(state, bar, kind.kind === 'steps') ? stepOfBar(state) : undefined
  }
}

/** Metrics of the training came: the bar that is running is the training's. */
export function confirmBar(state: OutputParserState): void {
  if (state.bar !== null) state.bar.certain = true
}

/**
 * Whether `bar` goes on where the training's bar was, or becomes it. A bar without a description may be that of an
 * evaluation: it counts to another total while the training's bar is unfinished or certain.
 */
function follow(state: OutputParserState, { current, total }: Bar, described: boolean): boolean {
  const known = state.bar
  const replaces =
    described ||
    total === state.totalSteps ||
    (known !== null && !known.certain && known.current >= known.total)
  if (known === null || (known.total !== total && replaces)) {
    // Lines have said how many steps there are, and this bar counts something else.
    if (known === null && !described && state.totalSteps !== null && total !== state.totalSteps) return false
    state.bar = { total, current, offset: 0, certain: described }
    return true
  }
  if (known.total !== total) return false
  if (current < known.current) {
    // One bar per epoch; the same bar again, but in its middle, is someone else's.
    if (known.current < known.total && !described) return false
    known.offset += known.current
  }
  known.current = current
  known.certain ||= described
  return true
}

function stepOfBar(state: OutputParserState): Progress | undefined {
  const { bar } = state
  if (bar === null) return undefined
  const total = state.epochs !== null ? state.epochs * bar.total : bar.offset === 0 ? bar.total : null
  return report(state, bar.offset + bar.current, total)
}

function advanceWithinEpoch(
  state: OutputParserState,
  bar: Bar,
  kind: BarKind & { kind: 'epoch' },
): Progress | undefined {
  state.firstEpoch ??= kind.epoch === 0 ? 0 : 1
  if (kind.epochs !== undefined) state.epochs = kind.epochs
  const offset = Math.max(0, kind.epoch - state.firstEpoch) * bar.total
  state.bar = { total: bar.total, current: bar.current, offset, certain: true }
  const total = state.epochs === null ? null : state.epochs * bar.total
  return { ...report(state, offset + bar.current, total), epoch: kind.epoch }
}

function advanceEpochs(state: OutputParserState, bar: Bar): Progress {
  state.epochs = bar.total
  const progress =
    state.bar === null && state.totalSteps === null ? forward(state, bar.current / bar.total) : undefined
  return compact({ epoch: bar.current, progress }) ?? {}
}

/** The step of a bar, unless lines give it: then the bar only tells how far it is, if nothing else does. */
function report(state: OutputParserState, step: number, total: number | null): Progress | undefined {
  if (state.explicit) {
    return state.totalSteps === null
      ? compact({ progress: forward(state, fraction(step, total)) })
      : undefined
  }
  state.step = step
  state.totalSteps = total
  const value = fraction(step, total)
  if (value !== undefined) state.progress = value
  return compact({ step, totalSteps: total ?? undefined, progress: value })
}

/** The fraction, if it does not fall behind what was reported before. */
function forward(state: OutputParserState, value: number | undefined): number | undefined {
  if (value === undefined || value < (state.progress ?? 0)) return undefined
  state.progress = value
  return value
}

function fraction(step: number | null, total: number | null): number | undefined {
  return step === null || total === null || total === 0 ? undefined : Math.min(1, step / total)
}

/** Without the fields that are not known; undefined where none is. */
function compact(progress: Progress): Progress | undefined {
  const known = Object.entries(progress).filter(([, value]) => value !== undefined)
  return known.length === 0 ? undefined : Object.fromEntries(known)
}
