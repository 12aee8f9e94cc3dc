import { isUniqueViolation } from '../db/database.ts'
import { ConflictError } from '../errors.ts'
import { type IdKind, kindOfId } from '../ids.ts'
import { NameInput } from './input.ts'

/** A name by which a thing can be found where its id could be: so it must not look like one. */
export const OwnNameInput = NameInput.refine((name) => kindOfId(name) === null, 'Must not look like an id.')

/** How a thing of a kind is found by what a person calls it: its id, or its name. */
export function byIdOrName(kind: IdKind, ref: string): { id: string } | { name: string } {
  return kindOfId(ref) === kind ? { id: ref } : { name: ref }
}

/**
 * Does `work`, which gives something a name that must be unique.
 *
 * @param what what it is, with its article
 * @throws ConflictError when the name is taken
 */
export async function refuseTakenName<T>(what: string, name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new ConflictError(`There is already ${what} named ${JSON.stringify(name)}.`)
  }
}
