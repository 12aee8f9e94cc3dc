import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from './errno.ts'

const SEGMENT = /^[A-Za-z0-9._-]{1,255}$/

/** The folder under a storage root where unfinished uploads lie; no key may begin with it. */
export const TEMPORARY_FOLDER = 'tmp'

/**
 * Splits a storage key into its segments. Only characters that mean the same to every file system and
 * bucket are let through, which leaves no room for absolute paths, `..`, NUL or backslashes.
 *
 * @throws TypeError for anything else
 */
export function keySegments(key: string): string[] {
  const segments = key.split('/')
  const safe = segments.every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  if (!safe || segments[0] === TEMPORARY_FOLDER || key.length > 1024) {
    throw new TypeError(`Not a storage key: ${JSON.stringify(key)}`)
  }
  return segments
}

/**
 * The path of a key under `root`, after looking at every part that exists: a symbolic link among them
 * could lead out of the storage folder and is refused.
 *
 * @throws TypeError when the key is malformed or passes a symbolic link
 */
export async function confinedPath(root: string, key: string): Promise<string> {
  let path = root
  for (const segment of keySegments(key)) {
    path = join(path, segment)
    try {
      const stats = await lstat(path)
      if (stats.isSymbolicLink()) {
        throw new TypeError(`The storage key ${JSON.stringify(key)} passes a symbolic link`)
      }
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) break
      throw error
    }
  }
  return join(root, ...keySegments(key))
}
