import { describe, expect, it } from 'vitest'
import { createLineSplitter, MAX_LINE_BYTES, type OutputLine } from '../../../src/execution/output/lines.ts'

/** A small deterministic generator, so that a failure can be repeated from its seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Bytes as hostile as output gets: split characters, bad UTF-8, NUL, `\r` everywhere, lines over the limit. */
function hostileBytes(random: (below: number) => number): Buffer {
  const parts: Buffer[] = []
  const pieces = [
    ...[
      'step 1',
      'é',
      '漢字',
      '🚂',
      '\r',
      '\r\n',
      '\n',
      '\n\n',
      ' ',
      '\0',
      '\ufeff',
      '\r\r',
      '  3%|▎  | 1/5',
    ],
    ...[[0xff], [0xe2, 0x96], [0xf0, 0x9f], [0x80, 0x80, 0x80, 0x80]],
  ].map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : Buffer.from(piece)))
  for (let i = 0; i < 60; i++) {
    const piece = pieces[random(pieces.length)] ?? Buffer.alloc(0)
    const long = random(20) === 0
    parts.push(long ? Buffer.from('▎a'.repeat(random(MAX_LINE_BYTES))) : piece)
  }
  return Buffer.concat(parts)
}

type Shown = Pick<OutputLine, 'message' | 'partial'>

function shown(lines: readonly OutputLine[]): Shown[] {
  return lines.map(({ message, partial }) => ({ message, partial }))
}

function splitWhole(bytes: Uint8Array, startOffset = 0): OutputLine[] {
  const splitter = createLineSplitter(startOffset)
  return [...splitter.push(bytes, 0), ...splitter.end()]
}

function messages(text: string): string[] {
  return splitWhole(Buffer.from(text)).map((line) => line.message)
}

describe('createLineSplitter', () => {
  it.each([
    ['newlines end lines', 'a\nb\n', ['a', 'b']],
    ['empty lines count', '\n\na\n', ['', '', 'a']],
    ['a carriage return before a newline is dropped', 'a\r\nb\r\r\n', ['a', 'b']],
    ['the end flushes the last line', 'a\nb', ['a', 'b']],
    ['the last segment stays visible', 'one\rtwo\rthree\n', ['three']],
    ['an empty last segment overwrites nothing', 'one\rtwo\r\r\n', ['two']],
    ['at the end too', 'one\rtwo\r', ['two']],
    ['a line of carriage returns is empty', '\r\r\n', ['']],
    ['nothing but carriage returns at the end is no line', 'a\n\r\r', ['a']],
    ['NUL is replaced', 'a\0b\n', ['a\ufffdb']],
    ['a BOM stays', '\ufeffa\n', ['\ufeffa']],
    ['text of all planes', 'é漢🚂\n', ['é漢🚂']],
    ['nothing is no line', '', []],
  ])('%s', (_, text, expected) => {
    expect(messages(text)).toEqual(expected)
  })

  it('replaces bytes that are not UTF-8', () => {
    const lines = splitWhole(Buffer.from([0x61, 0xff, 0x62, 0x0a, 0xe2, 0x96, 0x0a]))
    expect(lines.map((line) => line.message)).toEqual(['a\ufffdb', '\ufffd'])
  })

  it('gives the time of the push that completed a line', () => {
    const splitter = createLineSplitter()
    splitter.push(Buffer.from('a'), 1)
    expect(splitter.push(Buffer.from('b\nc'), 2)).toMatchObject([{ message: 'ab', timestamp: 2 }])
    expect(splitter.end()).toMatchObject([{ message: 'c', timestamp: 2 }])
  })

  it('does not keep the buffer that it was given', () => {
    const splitter = createLineSplitter()
    const reused = Buffer.from('half')
    splitter.push(reused, 0)
    reused.fill('x')
    expect(splitter.push(Buffer.from(' done\n'), 0)).toMatchObject([{ message: 'half done' }])
  })

  describe('updates', () => {
    it('hands every overwritten segment out with its line', () => {
      const [line] = splitWhole(Buffer.from('\r 1%\r 2%\r\r 3%\n'))
      expect(line).toMatchObject({ message: ' 3%', updates: [' 1%', ' 2%'] })
    })

    it('hands them out as they arrive, each once', () => {
      const splitter = createLineSplitter()
      const taken: string[] = []
      for (const part of ['\r 1%', '\r 2%\r ', '3%', '\r 4%\r']) {
        expect(splitter.push(Buffer.from(part), 0)).toEqual([])
        taken.push(...splitter.takeUpdates())
      }
      expect(taken).toEqual([' 1%', ' 2%', ' 3%'])
      expect(splitter.push(Buffer.from('\n'), 0)).toMatchObject([{ message: ' 4%', updates: [] }])
      expect(splitter.takeUpdates()).toEqual([])
    })

    it('shows the unfinished line only while it is being overwritten', () => {
      const splitter = createLineSplitter()
      splitter.push(Buffer.from('half a li'), 0)
      expect(splitter.live()).toBeNull()
      splitter.push(Buffer.from('ne\n\r 1%'), 0)
      expect(splitter.live()).toBe(' 1%')
      splitter.push(Buffer.from('\r 2%\r'), 0)
      expect(splitter.live()).toBe(' 2%')
      splitter.push(Buffer.from('\nnext'), 0)
      expect(splitter.live()).toBeNull()
    })

    it('moves the offset past what was taken, to what is visible', () => {
      const splitter = createLineSplitter(100)
      splitter.push(Buffer.from('\r 1%\r 2%\r 3%\r'), 0)
      expect(splitter.offset).toBe(100)
      splitter.takeUpdates()
      expect(splitter.offset).toBe(109)
      const restarted = createLineSplitter(109)
      restarted.push(Buffer.from(' 3%\r 4%'), 0)
      expect(restarted.takeUpdates()).toEqual([' 3%'])
    })
  })

  describe('long lines', () => {
    it('keeps a line of exactly the limit whole, however it ends', () => {
      const text = 'x'.repeat(MAX_LINE_BYTES)
      for (const ending of ['\n', '\r\n', '']) {
        expect(shown(splitWhole(Buffer.from(text + ending)))).toEqual([{ message: text, partial: false }])
      }
    })

    it('cuts a longer one into pieces that say so', () => {
      const lines = splitWhole(Buffer.from(`${'x'.repeat(2 * MAX_LINE_BYTES + 1)}\nnext\n`))
      expect(lines.map((line) => [line.message.length, line.partial])).toEqual([
        [MAX_LINE_BYTES, true],
        [MAX_LINE_BYTES, true],
        [1, false],
        [4, false],
      ])
    })

    it('cuts between characters', () => {
      const text = `a${'漢'.repeat(50_000)}`
      const lines = splitWhole(Buffer.from(`${text}\n`))
      expect(lines.map((line) => line.message).join('')).toBe(text)
      expect(lines.every((line) => Buffer.byteLength(line.message) <= MAX_LINE_BYTES)).toBe(true)
    })

    it('emits 10 MB without a newline as it arrives', () => {
      const splitter = createLineSplitter()
      const chunk = Buffer.alloc(100_000, 'x')
      let emitted = 0
      for (let i = 0; i < 100; i++) {
        for (const line of splitter.push(chunk, 0)) emitted += line.message.length
        expect(splitter.offset).toBe(emitted)
        expect((i + 1) * chunk.length - emitted).toBeLessThanOrEqual(MAX_LINE_BYTES)
      }
      const last = splitter.end()
      expect(last).toMatchObject([{ partial: false }])
      expect(emitted + (last[0]?.message.length ?? 0)).toBe(10_000_000)
      expect(splitter.offset).toBe(10_000_000)
    })

    it('keeps the latest of the updates that nobody takes', () => {
      const splitter = createLineSplitter()
      const chunk = Buffer.from(`${'y'.repeat(999)}\r`.repeat(1000))
      for (let i = 0; i < 30; i++) splitter.push(chunk, 0)
      const [line] = splitter.push(Buffer.from('last\n'), 0)
      const kept = line?.updates ?? []
      expect(line?.message).toBe('last')
      expect(kept.length).toBeGreaterThan(1000)
      expect(kept.length * 1000).toBeLessThan(10_000_000)
    })
  })

  describe('any bytes', () => {
    const seeds = Array.from({ length: 25 }, (_, i) => i + 1)

    it.each(seeds)('give the same lines and updates however they arrive (seed %i)', (seed) => {
      const random = randomNumbers(seed)
      const bytes = hostileBytes(random)
      const whole = splitWhole(bytes)
      const splitter = createLineSplitter()
      const lines: OutputLine[] = []
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random(random(2) === 0 ? 5 : 20_000)
        lines.push(...splitter.push(bytes.subarray(at, at + size), 0))
        at += size
      }
      lines.push(...splitter.end())
      expect(lines).toEqual(whole)
      expect(splitter.offset).toBe(bytes.length)
    })

    it.each(seeds)('continue exactly from any offset (seed %i)', (seed) => {
      const random = randomNumbers(seed)
      const bytes = hostileBytes(random)
      const whole = splitWhole(bytes)
      const allUpdates = whole.flatMap((line) => line.updates)
      const splitter = createLineSplitter()
      const lines: OutputLine[] = []
      const updates: string[] = []
      for (let at = 0; at < bytes.length; ) {
        const size = 1 + random(random(2) === 0 ? 8 : 20_000)
        const pushed = splitter.push(bytes.subarray(at, at + size), 0)
        lines.push(...pushed)
        updates.push(...pushed.flatMap((line) => line.updates))
        at += size
        if (random(3) === 0) updates.push(...splitter.takeUpdates())
        if (random(4) > 0) continue

        const rest = splitWhole(bytes.subarray(splitter.offset), splitter.offset)
        expect(shown([...lines, ...rest])).toEqual(shown(whole))
        expect([...updates, ...rest.flatMap((line) => line.updates)]).toEqual(allUpdates)
      }
    })
  })
})
