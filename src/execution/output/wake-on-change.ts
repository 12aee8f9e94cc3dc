import { type FSWatcher, watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Tells when it is time to look into a folder again. */
export interface FolderWatch {
  /**
   * Waits until something in the folder has changed since the last wait ended, at least `paceMs` so that a file
   * that is written all the time is not looked at all the time, and at most `pollMs`. Ends early when
   * `signal` aborts.
   */
  wait(times: { paceMs: number; pollMs: number }, signal: AbortSignal): Promise<void>
  close(): void
}

/**
 * Watches what is in a folder. Where the operating system does not tell of changes (a network file system; too
 * many watches), the waits last as long as they may.
 *
 * @param onUnavailable is told why the operating system does not tell of changes
 */
export function watchFolder(folder: string, onUnavailable: (error: unknown) => void): FolderWatch {
  let changed = false
  let wake = () => {}
  const watcher = startWatching(
    folder,
    () => {
      changed = true
      wake()
    },
    onUnavailable,
  )

  return {
    async wait({ paceMs, pollMs }, signal) {
      await sleep(paceMs, undefined, { signal }).catch(() => undefined)
      if (!changed && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const end = () => {
            clearTimeout(timer)
            signal.removeEventListener('abort', end)
            wake = () => {}
            resolve()
          }
          const timer = setTimeout(end, pollMs - paceMs)
          signal.addEventListener('abort', end)
          wake = end
        })
      }
      changed = false
    },
    close() {
      watcher?.close()
    },
  }
}

function startWatching(
  folder: string,
  onChange: () => void,
  onUnavailable: (error: unknown) => void,
): FSWatcher | null {
  try {
    return watch(folder, onChange).on('error', onUnavailable)
  } catch (error) {
    onUnavailable(error)
    return null
  }
}
