import { isUtf8 } from 'node:buffer'
import { ValidationError } from '../../../errors.ts'
import type { ContentCheck } from '../../../storage/storage.ts'
import { badLine, countNewlines } from './lines.ts'

const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf])
const UTF16_MARKS = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])]

/**
 * What holds for every text file: it is not empty, it is UTF-8, it has no NUL. `inner`, the check of the
 * format, is then given the text without a byte order mark, cut between characters and never within one.
 */
export function createTextCheck(inner: ContentCheck | null): ContentCheck {
  /** Begins a character, or at the start a byte order mark, whose other bytes have yet to come. */
  let pending = Buffer.alloc(0)
  let markHandled = false
  let empty = true
  let line = 1

  async function accept(bytes: Buffer) {
    if (bytes.length === 0) return
    refuseBadText(bytes, line)
    empty = false
    await inner?.write(bytes)
    line += countNewlines(bytes)
  }

  function withoutMark(bytes: Buffer): Buffer {
    markHandled = true
    if (UTF16_MARKS.some((mark) => bytes.subarray(0, 2).equals(mark))) {
      throw badLine(1, 'the text is encoded as UTF-16; save the file as UTF-8')
    }
    return bytes.subarray(0, 3).equals(UTF8_MARK) ? bytes.subarray(3) : bytes
  }

  return {
    async write(chunk) {
      let bytes = pending.length === 0 ? asBuffer(chunk) : Buffer.concat([pending, chunk])
      if (!markHandled && bytes.length >= UTF8_MARK.length) bytes = withoutMark(bytes)
      const whole = markHandled ? bytes.length - incompleteTail(bytes) : 0
      pending = Buffer.from(bytes.subarray(whole))
      await accept(bytes.subarray(0, whole))
    },
    async end() {
      await accept(markHandled ? pending : withoutMark(pending))
      if (empty) throw ValidationError.at('file', 'The file is empty.')
      await inner?.end()
    },
  }
}

/** How many bytes at the end begin a character that they do not complete: 0 to 3. */
function incompleteTail(bytes: Buffer): number {
  for (let length = 1; length <= Math.min(3, bytes.length); length++) {
    const byte = bytes[bytes.length - length] ?? 0
    if (byte >= 0x80 && byte < 0xc0) continue // a continuation: the lead byte is further back
    const needed = byte < 0xc0 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
    return needed > length ? length : 0
  }
  return 0
}

function refuseBadText(bytes: Buffer, firstLine: number) {
  if (isUtf8(bytes) && !bytes.includes(0)) return
  // A line feed is never part of another character, so lines can be looked at one by one.
  for (let start = 0, line = firstLine; start < bytes.length; line++) {
    const newline = bytes.indexOf('\n', start)
    const end = newline === -1 ? bytes.length : newline + 1
    const text = bytes.subarray(start, end)
    if (text.includes(0)) throw badLine(line, 'there is a NUL byte, so this is not a text file')
    if (!isUtf8(text)) throw badLine(line, 'this is not valid UTF-8 text; save the file as UTF-8')
    start = end
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
