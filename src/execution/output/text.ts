import { standsAlone } from './keys.ts'

/** Which of a process's two output files a line was read from. */
export type OutputSource = 'STDOUT' | 'STDERR'

const ESCAPE = '\u001b'
const BELL = '\u0007'

/** Colours and cursor moves (CSI), and titles and links (OSC), with bounded lengths: linear on any input. */
const ANSI = new RegExp(
  `${ESCAPE}(?:\\[[0-9;?]{0,32}[A-Za-z]|\\][^${BELL}${ESCAPE}]{0,128}(?:${BELL}|${ESCAPE}\\\\))`,
  'g',
)

/** The line without terminal escape sequences: what is written, not how it looks. */
export function stripAnsi(line: string): string {
  return line.includes(ESCAPE) ? line.replace(ANSI, '') : line
}

/** Where a log prefix can no longer be: prefixes are looked for in this many leading characters. */
const MAX_PREFIX = 300
const MAX_PREFIX_PARTS = 16

/**
 * What logging frameworks put before a message. The first kind stands on its own; the second, words such as a
 * logger's name, only counts behind one of the first kind, since a message may begin with a word too.
 */
const STRONG_PREFIX = new RegExp(
  [
    String.raw`\[(?!(?:[eE]val|EVAL|[vV]al|VAL|[tT]est|TEST|[dD]ev)\w{0,7}\])[^\[\]=]{1,120}\]:?`, // [INFO|trainer.py:12]  [Rank 0]  [2026-11-21 10:00:00,123]
    String.raw`\d{4}[-/]\d\d[-/]\d\d(?=[T \t,|])T?`,
    String.raw`\d\d/\d\d/\d{4}(?= )`,
    String.raw`\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?=[\s\]|,:-])`,
    String.raw`[IWEF]\d{4}(?= \d)`, // glog
    String.raw`(?:TRACE|DEBUG|INFO|NOTICE|WARNING|WARN|ERROR|CRITICAL|FATAL)\b(?::[\w.]{1,80}:)?:?`,
    String.raw`\([\w.-]{1,60} (?:pid|ip|rank)=[^()]{1,60}\)`, // Ray
  ].join('|'),
  'y',
)
const WEAK_PREFIX =
  /[\w.:<>/-]{1,100}(?= {0,8}(?:- |\||>>))|[\w./-]{1,80}\.(?:py|cpp|cc):\d{1,6}\]?|\d{1,10}(?= )/y
const SEPARATORS = /[\s|:,–>-]{1,16}/y

/**
 * The index at which the message begins, behind a logging framework's timestamps, levels, ranks and names;
 * 0 where there are none.
 */
export function messageStart(line: string): number {
  const end = Math.min(line.length, MAX_PREFIX)
  let at = 0
  let strong = false
  for (let part = 0; part < MAX_PREFIX_PARTS && at < end; part++) {
    let next = matchEnd(SEPARATORS, line, at)
    if (next === null) {
      next = matchEnd(STRONG_PREFIX, line, at)
      if (next !== null) strong = true
      else if (strong) next = weakPrefixEnd(line, at)
    }
    if (next === null) break
    at = next
  }
  return strong ? at : 0
}

/** The name of a logger, unless it is the first key of the message: `step:10 | loss:0.5`. */
function weakPrefixEnd(line: string, at: number): number | null {
  const end = matchEnd(WEAK_PREFIX, line, at)
  if (end === null) return null
  const [name = ''] = line.slice(at, end).split(':', 1)
  return standsAlone(name) ? null : end
}

function matchEnd(pattern: RegExp, line: string, at: number): number | null {
  pattern.lastIndex = at
  return pattern.test(line) ? pattern.lastIndex : null
}
