import { type Bar, readBar } from './bars.ts'
import { readDictLine } from './dict-line.ts'
import { readJsonLine } from './json-line.ts'
import { MAX_LINE_BYTES } from './lines.ts'
import { readKnownPairs, readPairs } from './pairs.ts'
import {
  advanceByBar,
  advanceByLine,
  confirmBar,
  freshState,
  type OutputParserState,
  outputParserState,
  type Progress,
} from './progress.ts'
import { addToReading, type Reading } from './reading.ts'
import { messageStart, type OutputSource, stripAnsi } from './text.ts'

/** One value of one metric; `value` may be NaN or infinite, as a training that diverges reports it. */
export type ParsedMetric = { readonly key: string; readonly value: number; readonly step: number }

/** What a line says that follows a known form. */
export type ParsedOutput = { readonly metrics: ParsedMetric[]; readonly progress?: Progress }

/** Understands the output of one run, line by line; see {@link createOutputParser}. */
export type OutputParser = {
  /** What a finished line, or an overwritten segment of one, says; null where it is ordinary text. */
  parse(line: string, source: OutputSource): ParsedOutput | null
  /**
   * The progress that an unfinished line shows (`LineSplitter.live`): that of a whole progress bar, else null. The
   * same text may be given again, here and to `parse`.
   */
  parseLive(text: string): Progress | null
  /** Whether lines without a step of their own get that of a progress bar now; see `createStepSettler`. */
  readonly borrowsSteps: boolean
  /** What to store with the read position; JSON as it is, and a snapshot. */
  readonly state: OutputParserState
}

const TORCHTUNE_COUNTS = /^\d{1,9}\|\d{1,10}\|/
const MAX_COUNTED_KEYS = 64
/** Where a record may begin, and what tells a dict from a JSON object. */
const RECORD_START = /\{\s{0,8}["']/
const DICT_START = /^\{\s*'/
/** What may stand before a record: `Eval results: {…}`, `step 10: {…}`. */
const MAX_LABEL = 40
const STEP_LABEL =
  /^(?:(?:eval|train)\w{0,8} )?(?:global )?(?:step|iter|iteration)[ :=#]{1,3}(\d{1,10})[\s:,|-]{0,4}$/i

const NUMERIC = /\d|nan|inf/i
const MAX_HINT_POSITION = 1000
/** Without one of these, a line of text has neither a step nor a metric; the rare ones come with a sign only. */
const HINTS = /loss|step|iter|epoch|acc|ppl|perplexity|reward|grad_norm|num_updates/i
const RARE_HINTS =
  /\b(?:f1|bleu|rouge|auc|mse|mae|rmse|wer|cer|mfu|iou|miou|em|kl|bpb|nll|entropy|precision|recall)/i

/**
 * Reads metrics and progress out of what a training script prints, in the forms that are common: JSON lines, the
 * dicts of Hugging Face's Trainer, `key=value` and `key: value` lines, and tqdm's bars. A line without a step
 * of its own belongs to the last step known; while none is, such lines are numbered from 1, a number serving
 * for as many lines as bring new keys.
 *
 * One parser reads both streams of a run. Where both have news, give it stderr first: the bar there tells
 * the step of the dicts on stdout.
 *
 * @param initialState What `state` was when the read position was stored. Anything that is not a state,
 *   such as that of another version, begins afresh.
 */
export function createOutputParser(initialState?: unknown): OutputParser {
  const state = outputParserState.safeParse(initialState).data ?? freshState()

  function parseLine(reading: Reading): ParsedOutput {
    const progress = advanceByLine(state, reading)
    if (reading.hasTrainingOutcome) confirmBar(state)
    return result(metricsOf(reading), progress)
  }

  function metricsOf(reading: Reading): ParsedMetric[] {
    if (reading.metrics.size === 0) return []
    const step = state.step ?? countedStep(state, [...reading.metrics.keys()])
    return Array.from(reading.metrics, ([key, value]) => ({ key, value, step }))
  }

  function parseBar(line: string): ParsedOutput | null {
    const bar = readBar(line)
    if (bar === null) return null
    const progress = advanceByBar(state, bar)
    return progress === undefined ? null : result(metricsOnBar(bar), progress)
  }

  /** A bar is drawn again and again with the same values: they are taken once a step. */
  function metricsOnBar({ description, postfix }: Bar): ParsedMetric[] {
    if (state.step === null || state.step === state.barMetricsAt) return []
    const readings = [description.replace(TORCHTUNE_COUNTS, ''), postfix]
      .filter((text) => text.includes('=') || text.includes(':'))
      .map(readKnownPairs)
    if (!readings.some((reading) => reading?.hasOutcome)) return []
    state.barMetricsAt = state.step
    confirmBar(state)
    return readings.flatMap((reading) => (reading?.hasOutcome ? metricsOf(reading) : []))
  }

  return {
    parse(line, source) {
      if (line.length < 3 || line.length > MAX_LINE_BYTES) return null
      if (line.includes('%|')) return parseBar(stripAnsi(line).trim())
      const reading = readLine(line, source)
      return reading === null ? null : parseLine(reading)
    },

    parseLive(text) {
      if (text.length > MAX_LINE_BYTES || !text.includes('%|')) return null
      const bar = readBar(stripAnsi(text).trim())
      return bar === null ? null : (advanceByBar(state, bar) ?? null)
    },

    get borrowsSteps() {
      return !state.explicit && state.step !== null
    },

    get state() {
      return structuredClone(state)
    },
  }
}

function result(metrics: ParsedMetric[], progress: Progress | undefined): ParsedOutput {
  return progress === undefined ? { metrics } : { metrics, progress }
}

/** The number of a line whose step nothing tells: a new one when a key comes again. */
function countedStep(state: OutputParserState, keys: string[]): number {
  if (state.counter === 0 || keys.some((key) => state.counted.includes(key))) {
    state.counter++
    state.counted = []
  }
  state.counted = [...state.counted, ...keys].slice(-MAX_COUNTED_KEYS)
  return state.counter
}

/** Cheap looks at the line first: nearly all lines are ordinary text. */
function readLine(line: string, source: OutputSource): Reading | null {
  if (line.includes('{')) {
    const record = readRecordLine(line)
    if (record !== undefined) return record
  }
  if (!mayHavePairs(line)) return null
  const text = stripAnsi(line).replace(/^\uFEFF/, '')
  // Source lines in a traceback: `    loss = 0.5`.
  if (source === 'STDERR' && text.startsWith('    ')) return null
  return readPairs(text.slice(messageStart(text)))
}

/** A line that is a JSON object or a dict, or ends with one behind a logger's prefix; undefined for others. */
function readRecordLine(line: string): Reading | null | undefined {
  if (!RECORD_START.test(line)) return undefined
  const text = stripAnsi(line)
    .replace(/^\uFEFF/, '')
    .trim()
  if (!text.endsWith('}')) return undefined
  if (text.startsWith('{')) return readRecordText(text)
  const start = messageStart(text)
  const brace = text.indexOf('{', start)
  if (brace === -1 || brace - start > MAX_LABEL) return undefined
  const reading = readRecordText(text.slice(brace))
  if (reading === null || !reading.hasOutcome) return undefined
  const label = text.slice(start, brace)
  const step = STEP_LABEL.exec(label)
  if (step !== null && reading.step === undefined) addToReading(reading, 'step', Number(step[1]))
  // A sentence that ends with a dict tells about something else than the step it comes at.
  else if (label.trim().split(/\s+/).length > 2) return undefined
  return reading
}

function readRecordText(text: string): Reading | null {
  return DICT_START.test(text) ? readDictLine(text) : readJsonLine(text)
}

function mayHavePairs(line: string): boolean {
  if (!NUMERIC.test(line)) return false
  const head = line.length > MAX_HINT_POSITION ? line.slice(0, MAX_HINT_POSITION) : line
  return HINTS.test(head) || ((head.includes('=') || head.includes(': ')) && RARE_HINTS.test(head))
}
