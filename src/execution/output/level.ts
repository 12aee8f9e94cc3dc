import { type OutputSource, stripAnsi } from './text.ts'

/** How serious a line is. TRACE counts as DEBUG, NOTICE as INFO, CRITICAL and FATAL as ERROR. */
export type LogLevel = 'DEBUG' | 'INFO' | 'WARNING' | 'ERROR'

/** A level stands near the beginning of its line; what follows is the message and may say anything. */
const MAX_HEAD = 400

const LEVELS: ReadonlyMap<string, LogLevel> = new Map<string, LogLevel>([
  ['TRACE', 'DEBUG'],
  ['DEBUG', 'DEBUG'],
  ['INFO', 'INFO'],
  ['NOTICE', 'INFO'],
  ['SUCCESS', 'INFO'],
  ['WARN', 'WARNING'],
  ['WARNING', 'WARNING'],
  ['ERROR', 'ERROR'],
  ['ERR', 'ERROR'],
  ['SEVERE', 'ERROR'],
  ['CRITICAL', 'ERROR'],
  ['FATAL', 'ERROR'],
  ['PANIC', 'ERROR'],
  ['I', 'INFO'],
  ['W', 'WARNING'],
  ['E', 'ERROR'],
  ['F', 'ERROR'],
])

const WORD = 'TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARNING|WARN|ERROR|SEVERE|CRITICAL|FATAL'

/** `WARNING:root:…`, `[INFO|trainer.py:123]`, `ERROR …`, `[rank0]: INFO: …`: at most brackets and ranks before it. */
const AT_START = new RegExp(
  String.raw`^\s{0,16}(?:\[?rank ?\d{1,6}\]?:? ?){0,2}[\[(<|]{0,2} ?(${WORD})(?=[\s:|\])>,]|$)`,
)

/** A timestamp at the start, behind which the level is one of the next few fields: `… - name - ERROR - …`. */
const TIMESTAMP =
  /^[^a-zA-Z0-9]{0,8}(?:rank ?\d{1,6}\]?:? ?)?\[?(?:\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d)?|\d\d\/\d\d\/\d{2,4} \d\d:\d\d|\d\d:\d\d:\d\d)[\d:.,Z+-]{0,24}/
const FIELDS_AFTER_TIMESTAMP = 6
const BETWEEN_FIELDS = /[^\w./]+/

/** glog and absl: `E1121 10:00:00.123 …`, and PyTorch's own `[rank0]:[W1121 …`, `[W socket.cpp:601]`. */
const GLOG = /^\s{0,16}(?:\[rank\d{1,6}\]:)?\[?([IWEF])(?:\d{4} \d\d:\d\d| [\w/]{1,80}\.(?:cpp|cc|h|py):\d)/

const JSON_LEVEL = /"(?:level|levelname|severity|log\.level|lvl)"\s{0,4}:\s{0,4}"?(\w{1,12})/

/** Python: what ends a traceback, at the start of a line, with the module path that the exception may have. */
const EXCEPTION =
  /^(?:[A-Za-z_]\w{0,60}\.){0,8}(?:[A-Z]\w{0,80}(?:Error|Exception|Interrupt)|Exception|StopIteration|SystemExit)(?::|$)/
const TRACEBACK =
  /^\s{0,16}(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\)|^ {1,16}File ".{1,300}", line \d{1,9}(?:, in |$)/
const WARNING = /^(?:.{1,300}:\d{1,9}: |)(?:\w{0,60}Warning|[Ww]arning): /

/** What a shell or a command line tool says when something broke: `train.py: error: …`. */
const TOOL_ERROR =
  /^(?:[\w./+-]{1,100}: ){0,3}(?:line \d{1,9}: {1,2})?(?:[Ee]rror|ERR|fatal|[Ff]atal error|panic|FAILED|failed)\b[: ]/
const TOOL_WORD = /^[EFefp]/
/** What the C runtime, the kernel or a device says; what is looked for first is rare, so most lines are done. */
const CRASH_STARTS = ['Fatal Python error', 'terminate called', 'Killed', 'Aborted']
const CRASH_ENDS = ['No such file or directory', ': not found', 'command not found', ': Permission denied']
const CRASH_PARTS = ['Segmentation fault', 'CUDA error', 'ut of memory', 'oom-kill']
/** `train.sh: line 3: 12345 Killed   python train.py`: the shell names the job's end. */
const JOB_END = /: line \d{1,9}: {1,2}\d{1,9} (?:Killed|Aborted|Segmentation fault|Bus error)\b/

/** Beginnings: a level's letter, a digit, or anything that is no letter. */
const MAY_NAME_LEVEL = /^(?:[CDEFINSTW][A-Z\d]|[^A-Za-z])/
const MAY_BE_TRACEBACK = /^(?:\s|\+|Exception G|Traceback)/

/** The rank that torchrun puts before every line of a worker's traceback. */
const RANK = /^\[rank\d{1,6}\]: ?/

/**
 * The level of one line of output: what the line itself says where it follows a known form (Python's logging
 * and the usual formats on top of it, glog, JSON lines, tracebacks, `warnings.warn`), on either stream.
 *
 * Every other line is INFO, on stderr too: trainers send their progress bars and notes there, and a log
 * in which everything is an error shows none. Only what is unmistakably a failure (a shell's `command not
 * found`, `Segmentation fault`, `CUDA error`, `error: …`) is an ERROR on stderr without saying so itself.
 *
 * A line is judged alone: of a traceback, its first line, its `File …` lines and the exception are ERROR, the
 * quoted source between them is INFO.
 */
export function levelOf(line: string, source: OutputSource): LogLevel {
  const text = clean(line.length > MAX_HEAD ? line.slice(0, MAX_HEAD) : line)
  // Most lines begin as no form does that names a level, or quotes a traceback.
  if (MAY_NAME_LEVEL.test(text)) {
    const named = namedLevel(text)
    if (named !== undefined) return named
  }
  const bare = text.startsWith('[rank') ? text.replace(RANK, '') : text
  if (MAY_BE_TRACEBACK.test(bare) && TRACEBACK.test(bare)) return 'ERROR'
  if (endsFirstWord(bare) && EXCEPTION.test(bare)) return 'ERROR'
  if (bare.includes('arning: ') && WARNING.test(bare)) return 'WARNING'
  return source === 'STDERR' && looksLikeError(bare) ? 'ERROR' : 'INFO'
}

/** Without colours and without a BOM, neither of which most lines have. */
function clean(text: string): string {
  return stripAnsi(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
}

/** Whether the first word ends with a colon or with the line, as an exception's name and a tool's do. */
function endsFirstWord(text: string): boolean {
  const space = text.indexOf(' ')
  return space === -1 || text.charCodeAt(space - 1) === 0x3a
}

function looksLikeError(text: string): boolean {
  return (
    ((endsFirstWord(text) || TOOL_WORD.test(text)) && TOOL_ERROR.test(text)) ||
    CRASH_STARTS.some((words) => text.startsWith(words)) ||
    CRASH_ENDS.some((words) => text.endsWith(words)) ||
    CRASH_PARTS.some((words) => text.includes(words)) ||
    (text.includes(': line ') && JOB_END.test(text))
  )
}

function namedLevel(text: string): LogLevel | undefined {
  if (text.trimStart().startsWith('{')) return jsonLevel(JSON_LEVEL.exec(text)?.[1])
  const word = (AT_START.exec(text) ?? GLOG.exec(text))?.[1]
  return word === undefined ? levelAfterTimestamp(text) : LEVELS.get(word)
}

function levelAfterTimestamp(text: string): LogLevel | undefined {
  const timestamp = TIMESTAMP.exec(text)
  if (timestamp === null) return undefined
  const fields = text.slice(timestamp[0].length).split(BETWEEN_FIELDS, FIELDS_AFTER_TIMESTAMP)
  const word = fields.find((field) => field.length > 1 && LEVELS.has(field))
  return word === undefined ? undefined : LEVELS.get(word)
}

/** A word, or a number on the scale of pino and bunyan: 20 debug, 30 info, 40 warn, 50 error. */
function jsonLevel(value: string | undefined): LogLevel | undefined {
  if (value === undefined) return undefined
  const number = Number(value)
  if (Number.isNaN(number)) return LEVELS.get(value.toUpperCase())
  if (number >= 50) return 'ERROR'
  return number >= 40 ? 'WARNING' : number >= 30 ? 'INFO' : 'DEBUG'
}
