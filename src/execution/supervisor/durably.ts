import { writeSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { hasCode } from './atomic-file.ts'

/** The longest pause between two attempts: a disk that got space again is used this soon. */
const LONGEST_PAUSE = 5_000

/**
 * Does something until it succeeds. For records that nobody could ever write again: when the disk is
 * full, the supervisor waits until somebody makes room. The error of the first failure and the
 * success after it go to the supervisor's log. Gives up only when the directory was removed.
 */
export async function durably(what: string, attempt: () => Promise<unknown>): Promise<void> {
  for (let pause = 100, failures = 0; ; pause = Math.min(pause * 2, LONGEST_PAUSE), failures++) {
    try {
      await attempt()
      if (failures > 0) log(`${what}: done after ${failures} failures`)
      return
    } catch (error) {
      if (hasCode(error, 'ENOENT')) {
        log(`${what}: the directory is gone, and with it everybody who could want to know`)
        return
      }
      if (failures === 0) log(`${what}: ${error}; will be tried until it works`)
      await setTimeout(pause)
    }
  }
}

/**
 * One line for the person on call, in the supervisor's log. When that cannot be written, on a full disk, the
 * line is lost: what matters is that this process lives on, because only it can learn how its command ends.
 */
export function log(message: string): void {
  try {
    writeSync(2, `${new Date().toISOString()} ${message}\n`)
  } catch {}
}
