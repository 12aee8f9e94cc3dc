import { DemoError } from './errors.ts'

/** What every mutation answers with: one of several types, told apart by name. */
interface Result {
  __typename: string
}

/** The parts that tell what went wrong, where the result is an error. */
interface Problem {
  message?: string
  issues?: { path: string[]; message: string }[]
  missing?: string[]
}

/**
 * The result, when it is what was asked for.
 *
 * @param what is to be done, as it follows "cannot", e.g. "start the run"
 * @throws DemoError with the reason that the API gives
 */
export function expectResult<R extends Result, Name extends R['__typename']>(
  what: string,
  result: R & Problem,
  name: Name,
): Extract<R, { __typename: Name }> {
  if (is(result, name)) return result
  const details = [
    ...(result.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`),
    ...(result.missing ?? []).map((missing) => `missing: ${missing}`),
  ]
  throw new DemoError([`Cannot ${what}: ${result.message ?? result.__typename}`, ...details].join('\n  '))
}

function is<R extends Result, Name extends R['__typename']>(
  result: R,
  name: Name,
): result is Extract<R, { __typename: Name }> {
  return result.__typename === name
}
