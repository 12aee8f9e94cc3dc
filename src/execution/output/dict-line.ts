import { parseNumber } from './numbers.ts'
import type { Reading } from './reading.ts'
import { MAX_DEPTH, type RecordValue, readRecord } from './records.ts'

/** What stands between a Python value and the next: a number, `None`, `True`, `nan`. */
const TOKEN = /[\w.+-]{1,48}/y
/** How NumPy and PyTorch print a number: `np.float64(0.5)`, `tensor(0.5, device='cuda:0')`. */
const BOXED = /(?:(?:np|numpy)\.\w{1,16}|tensor)\(\s{0,4}([\w.+-]{1,48})\s{0,4}(?:,[^()]{0,120})?\)/y
const BLANK = /\s*/y

/**
 * What a line says that is one Python dict, the way the Trainer of Hugging Face prints its logs:
 * `{'loss': 0.5, 'grad_norm': nan, 'epoch': 0.1}`, with quoted numbers in newer versions. Null where the line is
 * anything else, be it only at its end. One pass, without going back.
 */
export function readDictLine(line: string): Reading | null {
  const reader = createReader(line)
  const dict = reader.dict(1)
  return dict !== null && reader.atEnd() ? readRecord(dict) : null
}

type Dict = { [key: string]: RecordValue }

function createReader(text: string) {
  let at = 0

  function skipBlanks(): void {
    BLANK.lastIndex = at
    BLANK.test(text)
    at = BLANK.lastIndex
  }

  /** Steps over `char`, if it is what comes next. */
  function take(char: string): boolean {
    skipBlanks()
    if (text[at] !== char) return false
    at++
    return true
  }

  function string(): string | null {
    skipBlanks()
    const quote = text[at]
    if (quote !== "'" && quote !== '"') return null
    const start = ++at
    for (; at < text.length; at++) {
      if (text[at] === '\\') at++
      else if (text[at] === quote) return text.slice(start, at++)
    }
    return null
  }

  function dict(depth: number): Dict | null {
    if (depth > MAX_DEPTH || !take('{')) return null
    const entries: [string, RecordValue][] = []
    while (!take('}')) {
      if (entries.length > 0 && !take(',')) return null
      if (entries.length > 0 && take('}')) break
      const key = string()
      if (key === null || !take(':')) return null
      const parsed = value(depth)
      if (parsed === undefined) return null
      entries.push([key, parsed])
    }
    return Object.fromEntries(entries)
  }

  /** A list or a tuple: only that it is one matters. */
  function list(close: string, depth: number): RecordValue[] | undefined {
    at++
    let first = true
    while (!take(close)) {
      if (!first && !take(',')) return undefined
      if (!first && take(close)) break
      if (value(depth + 1) === undefined) return undefined
      first = false
    }
    return []
  }

  /** Undefined where there is none. */
  function value(depth: number): RecordValue | undefined {
    if (depth > MAX_DEPTH) return undefined
    skipBlanks()
    const char = text[at]
    if (char === '{') return dict(depth + 1) ?? undefined
    if (char === '[') return list(']', depth)
    if (char === '(') return list(')', depth)
    if (char === "'" || char === '"') return string() ?? undefined
    const boxed = match(BOXED)
    if (boxed !== null) return parseNumber(boxed[1] ?? '')
    const token = match(TOKEN)
    return token === null ? undefined : parseNumber(token[0])
  }

  function match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found
  }

  return {
    dict,
    atEnd: () => {
      skipBlanks()
      return at === text.length
    },
  }
}
