import { isOutcome, normalizeKey, standsAlone, standTogether } from './keys.ts'
import { parseNumber } from './numbers.ts'
import { addToReading, emptyReading, isEmpty, type Reading } from './reading.ts'

/** Metrics lines are for people to read; a longer line of text is none. */
const MAX_PAIRS_LINE = 4096
/** So many words that belong to no pair, and it is a sentence. */
const MAX_LOOSE_WORDS = 4

const NUMBER = String.raw`[-+]?(?:\d{1,3}(?:,\d{3}){1,6}(?:\.\d{1,20})?|(?:\d{1,30}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][-+]?\d{1,4})?|(?:nan|inf(?:inity)?)\b)`
const UNIT = String.raw`(?:%|ms|us|µs|ns|s|secs?|min|m|h|[KMGT]i?B|x|(?:it|tok|tokens|samples|steps|img|images)\/s(?:ec)?|s\/it)`
/** What may follow a value: not the rest of a time, a date, an address, a version or a word. */
const END = String.raw`(?=[\s,;|)\](\[]|:(?!\d)|\.(?:\s|$)|$)`
/** A number, `20/500` or `[20/500]`; with its unit, which is not kept. */
const VALUE = String.raw`\[?\s{0,8}(${NUMBER})(?:\s{0,8}\/\s{0,8}(\d{1,12}(?:,\d{3}){0,4})(?!\d))?\]?${UNIT}?${END}`
/** Of several numbers the first counts, as of a learning rate per group: `lr=[9.5e-05, 9.5e-05]`. */
const LISTS = new RegExp(String.raw`(?:\btensor\(|\[)\s{0,8}(${NUMBER})(?:, ?[^()[\]]{0,400})?[\])]`, 'gi')

const WORD = String.raw`[A-Za-z_][\w.@/+%-]{0,63}`
/** `loss=0.5`, `lm loss: 1.2E+00`, `elapsed time per iteration (ms): 12.5`. */
const PAIR = new RegExp(
  String.raw`(${WORD}(?: {1,2}(?:[A-Za-z][\w.@/+%-]{0,40}|\([\w.@/+% -]{1,40}\))){0,5}?)\s{0,40}[:=]\s{0,40}${VALUE}`,
  'iy',
)
/** Up to the sign of the pair that may begin here; the names of pairs have neither digits apart nor commas. */
const SIGN = /[^=:,;|]{1,400}[=:]/y
/** `loss 0.5`, `train loss 4.28`, `Acc@1  71.2`. */
const BLANK_PAIR = new RegExp(String.raw`(${WORD})(?: (${WORD}))?\s{1,24}${VALUE}`, 'iy')
/** Pairs that are no number but belong to the form: `eta: 0:05:30`, `val: n/a`, `model=gpt2`. */
const OTHER_PAIR =
  /[A-Za-z_][\w ]{0,30}[:=]\s{0,8}(?:(?:\d{1,4} days?, )?\d{1,4}:\d\d(?::\d\d(?:\.\d{1,9})?)?|n\/a|None|True|False)(?=[\s,;|)\]]|$)|[A-Za-z_]\w{0,40}=[^\s,;|=]{1,100}/y
/** Numbers with their brackets and units, punctuation, and what bars are drawn with. */
const NEUTRAL = /(?:[^A-Za-z_([]|\([^()A-Za-z]{0,60}\)|\[[^\][]{0,60}\]|[([])/y
const UNIT_WORD =
  /(?:ms|secs?|s|min|m|h|it|tok|tokens|samples|steps|x|[kKMGT]i?B?|MFU|mfu|bf16|fp16|fp32|at|and|e|nanz?|n)(?:\/\w{1,10})?(?![\w=:])/y
const LOOSE_WORD = /[A-Za-z_][^\s,;|:=()[\]]{0,200}/y

/** A label before the pairs that tells an evaluation's loss from the training's: `Validation: loss 0.5`. */
const LABEL =
  /^\s{0,8}\[?((?:eval|val|valid|validation|test|dev)(?:uation)?)(?: set| epoch| step| results?)?\]?(?=\s{0,4}[:|\]-]|\s{1,4}-)/i

/** A call, a constructor or a dump of arguments: `Namespace(lr=0.1, …)`. */
const CALL = /[A-Za-z_]\(\s?\w{1,64}=/

/** How many steps a training will take, as Hugging Face's Trainer announces it. */
const ANNOUNCED_TOTAL = /^Total optimization steps = (\d[\d,]{0,12})$/

/** How a line of pairs came out. */
type Scan = {
  readonly reading: Reading
  /** Pairs with a numeric value. */
  pairs: number
  /** Words that belong to no pair. */
  loose: number
  /** Whether a pair is written with `=` or `:`, or has a total: more than two words beside each other. */
  explicit: boolean
}

/**
 * What a line of text says that consists of pairs (`step=100 loss=0.53`, `iter 0: loss 4.28, time 100ms`,
 * `iteration 100/ 5000 | lm loss: 1.2E+00 |`). Null where it is not clearly a metrics line: it needs a metric
 * that a training is judged by, or a step, and hardly a word beside the pairs. A metric that is missed is
 * better than a sentence, an address or a list of settings that is taken for one.
 */
export function readPairs(text: string): Reading | null {
  if (text.length > MAX_PAIRS_LINE || text.includes('://') || CALL.test(text)) return null
  const first = text.trimStart()[0]
  if (first === '<' || first === '{' || first === '(') return null
  const announced = ANNOUNCED_TOTAL.exec(text.trim())
  if (announced !== null) {
    const reading = emptyReading()
    addToReading(reading, 'total_steps', parseNumber(announced[1] ?? '') ?? 0)
    return reading
  }
  const scan = scanPairs(text)
  return scan !== null && isMetricsLine(scan) ? scan.reading : null
}

/** The pairs of a text that is known to hold metrics, as the end of a progress bar's line; null without any. */
export function readKnownPairs(text: string): Reading | null {
  const reading = text.length > MAX_PAIRS_LINE ? undefined : scanPairs(text)?.reading
  return reading === undefined || isEmpty(reading) ? null : reading
}

function isMetricsLine({ reading, pairs, loose, explicit }: Scan): boolean {
  if (reading.hasOutcome) return loose <= (pairs >= 3 ? 4 : pairs === 2 ? 3 : 1)
  if (reading.step !== undefined && pairs >= 2) return loose <= (pairs >= 3 ? 2 : 0)
  return loose === 0 && pairs === 1 && explicit && (reading.step !== undefined || reading.epoch !== undefined)
}

function scanPairs(line: string): Scan | null {
  const text = line.includes('[') || line.includes('tensor(') ? line.replace(LISTS, '$1') : line
  const scan: Scan = { reading: emptyReading(), pairs: 0, loose: 0, explicit: false }
  const label = LABEL.exec(text)
  const prefix = label === null ? '' : `${label[1]?.toLowerCase()}/`
  let at = label === null ? 0 : label[0].length

  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (isLetter(code)) {
      const end =
        takePair(scan, text, at, prefix) ?? matchEnd(OTHER_PAIR, text, at) ?? matchEnd(UNIT_WORD, text, at)
      if (end !== null) {
        at = end
        continue
      }
      scan.loose++
      if (scan.loose > MAX_LOOSE_WORDS) return null
      at = matchEnd(LOOSE_WORD, text, at) ?? at + 1
    } else {
      at = matchEnd(NEUTRAL, text, at) ?? at + 1
    }
  }
  return scan
}

/** Reads the pair at `at` and returns where it ends; null where there is none. */
function takePair(scan: Scan, text: string, at: number, prefix: string): number | null {
  PAIR.lastIndex = at
  const pair = hasSign(text, at) ? PAIR.exec(text) : null
  if (pair !== null) {
    const words = (pair[1] ?? '').split(/ +/)
    // In a table's column (`| number of nan iterations: 0 |`) a name has any number of words.
    if (words.length > 2 && !isColumn(text, at, PAIR.lastIndex)) scan.loose += words.length - 2
    addPair(scan, pair[1] ?? '', pair[2], pair[3], prefix)
    scan.explicit = true
    return PAIR.lastIndex
  }
  BLANK_PAIR.lastIndex = at
  const blank = BLANK_PAIR.exec(text)
  if (blank === null) return null
  const [, first = '', second, value, total] = blank
  if (second === undefined ? !standsAlone(first) : !standTogether(first, second)) return null
  addPair(scan, second === undefined ? first : `${first} ${second}`, value, total, prefix)
  scan.explicit ||= total !== undefined
  return BLANK_PAIR.lastIndex
}

function addPair(
  scan: Scan,
  name: string,
  text: string | undefined,
  totalText: string | undefined,
  prefix: string,
): void {
  const value = parseNumber(text ?? '')
  if (value === null) return
  const total = totalText === undefined ? undefined : (parseNumber(totalText) ?? undefined)
  const key = stepKey(normalizeKey(name))
  addToReading(scan.reading, isOutcome(key) ? prefix + key : key, value, total)
  scan.pairs++
}

/** In text, `steps: 10` counts steps too; as a key of a record it may be how many there are. */
function stepKey(key: string): string {
  return key === 'steps' ? 'step' : key === 'train_epoch' ? 'epoch' : key
}

function isColumn(text: string, start: number, end: number): boolean {
  const before = text.slice(Math.max(0, start - 24), start).trimEnd()
  const after = text.slice(end, end + 24).trimStart()
  return before.endsWith('|') && (after === '' || after.startsWith('|'))
}

/** Whether an `=` or `:` comes near enough to belong to a pair that begins at `at`. */
function hasSign(text: string, at: number): boolean {
  SIGN.lastIndex = at
  return SIGN.test(text)
}

function isLetter(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f
}

function matchEnd(pattern: RegExp, text: string, at: number): number | null {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : null
}
