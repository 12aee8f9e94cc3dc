import { sep } from 'node:path'
import type { Candidate } from './scan.ts'

/** How a {@link CompletenessTracker} decides. */
export type CompletenessOptions = {
  /**
   * How long, in milliseconds, a candidate must stay the same to count as complete. Longer than the pauses within
   * a save, shorter than a user's patience; one that goes on changing later is reported again.
   * @default 2000
   */
  readonly quietMs?: number
  /** The time in milliseconds; need not be the time of day. */
  readonly now: () => number
  /** What was complete before the server was started: candidates' names with their fingerprints. */
  readonly reported?: Iterable<readonly [name: string, fingerprint: string]>
}

/** Tells which candidates are complete; see {@link createCompletenessTracker}. */
export type CompletenessTracker = {
  /**
   * Takes a scan, and returns the candidates that have become complete, or complete again with new content.
   * `isOpenForWriting` is asked for every file of a candidate that is quiet, by its path.
   */
  observe(candidates: readonly Candidate[], isOpenForWriting: (path: string) => boolean): Candidate[]
  /**
   * Takes the scan after the process has ended: nobody writes any more, so everything is complete that has not been
   * reported as it is, except what holds one of `unfinishedFiles`, the paths of files that were cut when
   * the process was killed.
   */
  finish(candidates: readonly Candidate[], options?: { unfinishedFiles?: Iterable<string> }): Candidate[]
}

type Seen = { fingerprint: string; since: number }

/**
 * Watches, scan by scan, for candidates that their script has finished writing: they have been the same for
 * `quietMs`, and no process has one of their files open for writing. Each content is reported once; a file that is
 * appended to, such as TensorBoard's events, is reported again each time it comes to rest.
 */
export function createCompletenessTracker(options: CompletenessOptions): CompletenessTracker {
  const { quietMs = 2000, now } = options
  const reported = new Map(options.reported)
  const seen = new Map<string, Seen>()

  /** Since when the candidate is as it is now. */
  function quietSince({ name, fingerprint }: Candidate, time: number): number {
    const known = seen.get(name)
    if (known?.fingerprint === fingerprint) return known.since
    seen.set(name, { fingerprint, since: time })
    return time
  }

  function isNews({ name, fingerprint }: Candidate): boolean {
    return reported.get(name) !== fingerprint
  }

  function report(complete: Candidate[]): Candidate[] {
    for (const { name, fingerprint } of complete) reported.set(name, fingerprint)
    return complete
  }

  /** What was deleted and comes again is new. */
  function forgetAllBut(candidates: readonly Candidate[]): void {
    const names = new Set(candidates.map(({ name }) => name))
    for (const name of seen.keys()) if (!names.has(name)) seen.delete(name)
  }

  return {
    observe(candidates, isOpenForWriting) {
      const time = now()
      forgetAllBut(candidates)
      return report(
        candidates.filter(
          (candidate) =>
            time - quietSince(candidate, time) >= quietMs &&
            isNews(candidate) &&
            !candidate.files.some(isOpenForWriting),
        ),
      )
    },

    finish(candidates, { unfinishedFiles = [] } = {}) {
      const unfinished = [...unfinishedFiles]
      const isCut = ({ path, kind }: Candidate): boolean =>
        unfinished.some((file) => file === path || (kind === 'folder' && file.startsWith(path + sep)))
      return report(candidates.filter((candidate) => isNews(candidate) && !isCut(candidate)))
    },
  }
}
