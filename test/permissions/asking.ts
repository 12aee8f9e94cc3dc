import type { ApiClient } from '../support/client.ts'
import type { Role, Subject } from './table.ts'
import type { World } from './world.ts'

/** How somebody asks for something at a place of the table. */
export interface Asking {
  /** The arguments of the root field. */
  args: object
  /** The id or name that it is about: with another one, the answer to whom it does not exist must be the same. */
  about?: string
  /** Of a list: the id that must be in it. */
  among?: string
  /** Who asks, where that is not simply the client of the role. */
  as?: ApiClient
  /** Files to send, by where they go. */
  files?: Record<string, File>
  /** What is selected of the answer, where more is needed than tells whether it is there. */
  selection?: string
  /** The errors that say no more than that it was allowed. */
  passes?: string[]
  /** Called when it was done: what it was done to is used up. */
  spend?: () => void
}

/** Says how to ask about a subject, in somebody's name. */
export type AskFor = (world: World, subject: Subject, role: Role) => Asking | Promise<Asking>

/** What a mutation may end is made once, and again when it was ended. */
export function createSamples() {
  const made = new Map<string, Promise<unknown>>()
  return async <T>(key: string, make: () => Promise<T>): Promise<{ sample: T; spend: () => void }> => {
    const found = made.get(key) ?? make()
    made.set(key, found)
    return { sample: (await found) as T, spend: () => void made.delete(key) }
  }
}
