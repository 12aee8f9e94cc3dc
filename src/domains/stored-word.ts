/**
 * A word that is stored as text, of those that may be.
 *
 * @param what what it is of, with its article
 * @throws Error when it is none of them: the database holds nothing else
 */
export function storedWord<Known extends string>(what: string, all: readonly Known[], stored: string): Known {
  const known = all.find((candidate) => candidate === stored)
  if (!known) throw new Error(`The database holds ${what} with the unknown word ${stored}.`)
  return known
}
