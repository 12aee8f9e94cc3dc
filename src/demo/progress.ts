import type { Style, Terminal } from './terminal.ts'

/** How far a training is, as one line shows it. */
export interface Progress {
  /** 0 to 1. */
  fraction: number
  /** What stands in place of the steps while there are none, e.g. "queued". */
  status: string
  step: number | null
  totalSteps: number | null
  loss: number | null
  learningRate: number | null
  elapsedMs: number
}

/** Shows the progress of one training until it is over. */
export interface ProgressView {
  update(change: Partial<Progress>): void
  /** A line that the training printed. */
  log(line: string): void
  end(): void
}

const REDRAW_MS = 100
/** Where nothing can be redrawn: so often a line. */
const PLAIN_MS = 5000
const WIDEST_BAR = 30
/** The widest that `formatNumber` gives: `0.000123`. */
const NUMBER_WIDTH = 8
const INDENT = '  '

/** A view that counts the time from now on. */
export function showProgress(terminal: Terminal, now: () => number = Date.now): ProgressView {
  const start = now()
  const progress: Progress = {
    fraction: 0,
    status: '',
    step: null,
    totalSteps: null,
    loss: null,
    learningRate: null,
    elapsedMs: 0,
  }
  const line = () => {
    progress.elapsedMs = now() - start
    return formatProgress(progress, terminal.width() - 1, terminal.paint)
  }
  const draw = () => (terminal.isLive ? terminal.status(line()) : terminal.say(line()))
  if (terminal.isLive) draw()
  const timer = setInterval(draw, terminal.isLive ? REDRAW_MS : PLAIN_MS)

  return {
    update: (change) => Object.assign(progress, change),
    log: (text) => terminal.say(terminal.paint('quiet', cut(`${INDENT}│ ${text}`, terminal.width() - 1))),
    end() {
      clearInterval(timer)
      terminal.status(null)
      terminal.say(line())
    },
  }
}

/** The bar with its numbers, in `width` characters; the bar gives way to the numbers. */
export function formatProgress(
  progress: Progress,
  width: number,
  paint: (style: Style, text: string) => string = (_style, text) => text,
): string {
  const { fraction, step, totalSteps, loss, learningRate, elapsedMs } = progress
  const total = String(totalSteps ?? '?')
  // As wide at the first step as at the last, so that nothing moves but the bar.
  const numbers = [
    `${Math.floor(fraction * 100)} %`.padStart(5),
    step === null ? progress.status : `step ${String(step).padStart(total.length)}/${total}`,
    ...(loss === null ? [] : [`loss ${formatNumber(loss).padEnd(NUMBER_WIDTH)}`]),
    ...(learningRate === null ? [] : [`lr ${formatNumber(learningRate).padEnd(NUMBER_WIDTH)}`]),
    formatTime(elapsedMs),
  ].join('  ')
  const room = Math.min(WIDEST_BAR, width - INDENT.length - numbers.length - 1)
  if (room < 1) return cut(INDENT + numbers, width)
  const done = Math.round(Math.min(1, Math.max(0, fraction)) * room)
  return `${INDENT}${paint('first', '━'.repeat(done))}${paint('quiet', '─'.repeat(room - done))} ${numbers}`
}

/** Three digits that count: `1.23`, `0.00450`, `3.6e-5`. */
export function formatNumber(value: number): string {
  return Math.abs(value) < 0.0001 && value !== 0 ? value.toExponential(1) : value.toPrecision(3)
}

/** Minutes and seconds: `0:07`, `12:30`. */
export function formatTime(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`
}
