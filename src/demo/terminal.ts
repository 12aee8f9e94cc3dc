import { styleText } from 'node:util'

/** A style of `styleText`, by what it means here. */
const STYLES = {
  title: ['bold', 'cyan'],
  good: 'green',
  strong: 'bold',
  quiet: 'dim',
  first: 'cyan',
  second: 'magenta',
  error: 'red',
} as const

export type Style = keyof typeof STYLES

/** Where the demo shows what it does. */
export interface Terminal {
  /** Whether a line can be drawn over; a file or a pipe only takes more lines. */
  readonly isLive: boolean
  /** How many characters a line has room for; at most 100, which is where lines get hard to read. */
  width(): number
  /** A line that stays. */
  say(line?: string): void
  /** The line below all others, drawn over the one before; null takes it away. Nothing where it cannot be. */
  status(line: string | null): void
  /** The text in a style, where colours are wanted (a terminal without NO_COLOR). */
  paint(style: Style, text: string): string
  /** Leaves the terminal as it was. */
  close(): void
}

const ERASE_LINE = '\r\x1b[2K'
const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'

/** The terminal, pipe or file at `stream`. */
export function createTerminal(stream: NodeJS.WriteStream): Terminal {
  const isLive = stream.isTTY === true && process.env.TERM !== 'dumb'
  let shown: string | null = null

  const terminal: Terminal = {
    isLive,
    width: () => Math.min(100, isLive ? stream.columns : 80),
    say(line = '') {
      stream.write(shown === null ? `${line}\n` : `${ERASE_LINE}${line}\n${shown}`)
    },
    status(line) {
      if (!isLive || line === shown) return
      const cursor = shown === null ? HIDE_CURSOR : line === null ? SHOW_CURSOR : ''
      stream.write(`${cursor}${ERASE_LINE}${line ?? ''}`)
      shown = line
    },
    paint: (style, text) => styleText([STYLES[style]].flat(), text, { stream }),
    close: () => terminal.status(null),
  }
  return terminal
}
