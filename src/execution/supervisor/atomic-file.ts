import { link, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Puts a file in place of whatever has its name: a reader sees the old one or the new one, never a
 * part, and what was acknowledged survives a loss of power.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  await throughTemporary(path, text, (temporary) => rename(temporary, path))
}

/**
 * Like replaceFile, but only where there is none: of any number of callers at the same time exactly
 * one gets true. The content is there from the first moment, which O_EXCL alone would not give.
 */
export async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await throughTemporary(path, text, (temporary) => link(temporary, path))
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** The content; null when there is no such file. */
export async function readFileIfAny(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}

/** Whether an error has this code of the system, such as ENOENT. */
export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

let temporaries = 0

async function throughTemporary(
  path: string,
  text: string,
  place: (temporary: string) => Promise<void>,
): Promise<void> {
  const temporary = `${path}.${process.pid}.${++temporaries}.tmp`
  try {
    // Readable by the owner only: an environment holds tokens. `wx`: never through somebody's link.
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await place(temporary)
  } finally {
    // After a rename there is nothing left to remove.
    await rm(temporary, { force: true })
  }
  const folder = await open(dirname(path))
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
