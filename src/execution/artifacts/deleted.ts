import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Candidate } from './scan.ts'

/**
 * Which of the names that were found in an output folder before are gone from it. A scan may leave out what is there,
 * where it finds too much or a folder cannot be read; a name is gone all the same when it is now that of a folder with
 * other things in it.
 */
export function findDeleted(root: string, before: Iterable<string>, candidates: Candidate[]): string[] {
  const found = new Set(candidates.map(({ name }) => name))
  const folders = new Set(candidates.flatMap(({ name }) => foldersOf(name)))
  return [...before].filter(
    (name) => !found.has(name) && (folders.has(name) || !existsSync(join(root, name))),
  )
}

/** The folders that a path leads through. */
function foldersOf(name: string): string[] {
  const parts = name.split('/')
  return parts.slice(1).map((_part, index) => parts.slice(0, index + 1).join('/'))
}
