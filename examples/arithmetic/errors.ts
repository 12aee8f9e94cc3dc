/** A mistake that the person who starts the run can mend: one line on stderr, exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError'
}
