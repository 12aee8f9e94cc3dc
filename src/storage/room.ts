import { stat, statfs } from 'node:fs/promises'
import type { Logger } from 'pino'

/** How much room there is on the disk of the data folder, and when there was none. */
export interface Room {
  /** Whether the disk is full right now. */
  isFull(): Promise<boolean>
  /** Whether the disk was full at some time, as far as this server has seen. */
  wasFullAt(time: Date): boolean
  /** The one of these files that was cut short by the full disk, as far as can be told; null for none. */
  findCut(files: readonly string[]): Promise<string | null>
  stop(): void
}

/** With less than this left, in bytes, hardly anything can be stored: an upload, the start of a run, a commit. */
const LEAST_FREE_BYTES = 1024 * 1024
/** The smallest block of a file system, in bytes. */
const LEAST_BLOCK_BYTES = 512
/** How often the disk is looked at, in ms. */
const LOOK_MS = 500
/** How many times of fullness are remembered. */
const MAX_PERIODS = 1000

/** Watches the disk that `folder` lies on, and says in the log when it becomes full and when it has room again. */
export function watchRoom({ folder, log }: { folder: string; log: Logger }): Room {
  /** Each from when there was room for the last time to when there was none for the last time; epoch ms. */
  const periods: { from: number; to: number }[] = []
  let lastRoomy = Date.now()
  let isKnownFull = false

  async function look(): Promise<boolean> {
    const { bavail, bsize } = await statfs(folder)
    const isFull = bavail * bsize < LEAST_FREE_BYTES
    const now = Date.now()
    if (isFull !== isKnownFull) log.warn(isFull ? 'the disk is full' : 'the disk has room again')
    if (isFull && !isKnownFull) periods.push({ from: lastRoomy, to: now })
    const period = periods.at(-1)
    if (isFull && period) period.to = now
    if (!isFull) lastRoomy = now
    if (periods.length > MAX_PERIODS) periods.shift()
    isKnownFull = isFull
    return isFull
  }

  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error({ err: error }, 'the room on the disk is not known'))
  }, LOOK_MS)
  timer.unref()

  const wasFull = (at: number) => periods.some(({ from, to }) => at >= from && at <= to)

  return {
    isFull: look,
    wasFullAt: (time) => wasFull(time.getTime()),
    async findCut(files) {
      if (periods.length === 0) return null
      for (const path of files) {
        const { mtimeMs, size } = await stat(path)
        // What is cut for want of blocks ends with one; what is whole seldom does.
        const endsWithBlock = size % LEAST_BLOCK_BYTES === 0
        if (endsWithBlock && wasFull(mtimeMs)) return path
      }
      return null
    },
    stop: () => clearInterval(timer),
  }
}
