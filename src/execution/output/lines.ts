import { isAscii } from 'node:buffer'

/** The longest stretch of raw bytes that is kept as one line; a longer line is stored in pieces. */
export const MAX_LINE_BYTES = 65_536

/**
 * How much text of overwritten segments waits for its reader, in bytes including the bookkeeping of each
 * string. More than one reader's chunk (256 KiB) can produce, so nothing is dropped where `takeUpdates` is
 * called after each `push`.
 */
const MAX_WAITING_UPDATES = 8 * 1024 * 1024
const COST_OF_A_STRING = 32

const LF = 10
const CR = 13
const NUL = /\0/g
const NO_BYTES = Buffer.alloc(0)
const NO_UPDATES: readonly string[] = Object.freeze([])

/** One stored entry of a run's output. */
export type OutputLine = {
  /** What a terminal would show of the line, without its line ending. */
  readonly message: string
  /** True when the line was longer than {@link MAX_LINE_BYTES} and continues in the next entry. */
  readonly partial: boolean
  /**
   * What `\r` overwrote on this line, oldest first, as far as `takeUpdates` has not handed it out: to be
   * parsed (before `message`), not to be stored.
   */
  readonly updates: readonly string[]
  /** The `timestamp` of the push that completed the line. */
  readonly timestamp: number
}

/** Turns the bytes of one output file into lines; see {@link createLineSplitter}. */
export type LineSplitter = {
  /** Takes the bytes that follow the ones pushed before, and returns the lines which they complete. */
  push(bytes: Uint8Array, timestamp: number): OutputLine[]
  /** The process is over: returns the last line, if it had no newline. */
  end(): OutputLine[]
  /**
   * The overwritten segments of the unfinished line, each exactly once: what is returned here is not in
   * the line's `updates` later. Moves `offset` past them, so call it in the transaction that stores `offset`.
   */
  takeUpdates(): readonly string[]
  /**
   * What a terminal shows now of a line that is being overwritten with `\r`, or null. The text may be cut
   * anywhere and comes again, as an update or as a message: show it, or read a progress bar from it, no more.
   */
  live(): string | null
  /**
   * The byte position from which a new splitter continues exactly: everything before it has been returned.
   * The unfinished line (of an overwritten line: what is visible of it) lies behind it and is read again.
   */
  readonly offset: number
}

type Segment = { readonly text: string; readonly start: number }

/**
 * Splits the bytes of an output file, from byte `startOffset` on, into lines: pure, without any reading.
 * The lines do not depend on how the bytes are cut into pushes, and the memory in use is bounded by the size
 * of a push whatever arrives: a line of any length, or one that is overwritten with `\r` forever.
 *
 * `\n` ends a line; a segment that `\r` overwrote is an update of it, and the last non-empty segment is the
 * message (a `\r` before `\n` therefore vanishes). Bytes that are not UTF-8 and NUL, which databases
 * refuse, become U+FFFD; a BOM stays.
 *
 * @example
 * const splitter = createLineSplitter(storedOffset)
 * const lines = splitter.push(bytes, Date.now())
 * const live = splitter.takeUpdates()
 * await store(lines, live, splitter.offset)
 */
export function createLineSplitter(startOffset = 0): LineSplitter {
  /** The bytes of the segment that has no end yet, and where they begin in the file. */
  let carry: Buffer = NO_BYTES
  let carryStart = startOffset
  /** The last non-empty segment of the unfinished line: closed by `\r`, but still visible. */
  let visible: Segment | null = null
  let updates: string[] = []
  let updatesCost = 0
  let overwriting = false
  let offset = startOffset
  let lastTimestamp = 0

  function overwriteVisible(): void {
    if (visible === null) return
    updates.push(visible.text)
    updatesCost += visible.text.length + COST_OF_A_STRING
    visible = null
    if (updatesCost <= MAX_WAITING_UPDATES) return
    updates = updates.slice(updates.length >> 1)
    updatesCost = updates.reduce((sum, text) => sum + text.length + COST_OF_A_STRING, 0)
  }

  function collectUpdates(): readonly string[] {
    if (updates.length === 0) return NO_UPDATES
    const collected = updates
    updates = []
    updatesCost = 0
    return collected
  }

  function line(message: string, partial: boolean): OutputLine {
    return { message, partial, updates: collectUpdates(), timestamp: lastTimestamp }
  }

  /** The line is over; `last` is its last segment, '' when nothing followed the last `\r`. */
  function finishLine(last: string): OutputLine {
    let message = last
    if (visible !== null) {
      if (last === '') message = visible.text
      else overwriteVisible()
      visible = null
    }
    overwriting = false
    return line(message, false)
  }

  return {
    push(bytes, timestamp) {
      lastTimestamp = timestamp
      if (bytes.length === 0) return []
      const arrived = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const data = carry.length === 0 ? arrived : Buffer.concat([carry, arrived])
      const base = carryStart
      const text = decoder(data)
      const lines: OutputLine[] = []
      let start = 0

      /** Emits pieces of the segment that begins at `start` until what is left of it fits in a line. */
      const cutLong = (end: number): void => {
        while (end - start > MAX_LINE_BYTES) {
          const cut = utf8Cut(data, start + MAX_LINE_BYTES)
          overwriteVisible()
          lines.push(line(text(start, cut), true))
          start = cut
          offset = base + start
        }
      }

      let lf = data.indexOf(LF)
      let cr = data.indexOf(CR)
      while (lf !== -1 || cr !== -1) {
        if (cr !== -1 && (lf === -1 || cr < lf)) {
          cutLong(cr)
          overwriting = true
          if (cr > start) {
            overwriteVisible()
            visible = { text: text(start, cr), start: base + start }
          }
          start = cr + 1
          while (data[start] === CR) start++
          cr = data.indexOf(CR, start)
        } else {
          if (lf - start > MAX_LINE_BYTES) cutLong(lf)
          lines.push(finishLine(lf === start ? '' : text(start, lf)))
          start = lf + 1
          offset = base + start
          lf = data.indexOf(LF, start)
        }
      }
      cutLong(data.length)
      if (start < data.length) overwriteVisible()
      // A copy: the caller may reuse its buffer, and a view would keep the whole chunk alive.
      carry = start < data.length ? Buffer.from(data.subarray(start)) : NO_BYTES
      carryStart = base + start
      return lines
    },

    end() {
      const lines =
        carry.length > 0 ? [finishLine(decoder(carry)(0, carry.length))] : visible ? [finishLine('')] : []
      carryStart += carry.length
      carry = NO_BYTES
      overwriting = false
      offset = carryStart
      return lines
    },

    takeUpdates() {
      offset = visible?.start ?? carryStart
      return collectUpdates()
    },

    live() {
      if (!overwriting) return null
      return carry.length > 0 ? decoder(carry)(0, carry.length) : (visible?.text ?? null)
    },

    get offset() {
      return offset
    },
  }
}

/** Reads text out of `data`; what is true of all of it (ASCII, no NUL) is looked up once, not per line. */
function decoder(data: Buffer): (start: number, end: number) => string {
  const encoding = isAscii(data) ? 'latin1' : 'utf8'
  if (!data.includes(0)) return (start, end) => data.toString(encoding, start, end)
  return (start, end) => data.toString(encoding, start, end).replace(NUL, '\uFFFD')
}

/** The last position not after `at` that is not inside a UTF-8 character; `at` itself in other bytes. */
function utf8Cut(data: Buffer, at: number): number {
  for (let cut = at; cut > at - 4; cut--) {
    if (((data[cut] ?? 0) & 0xc0) !== 0x80) return cut
  }
  return at
}
