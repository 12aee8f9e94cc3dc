import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { isErrno } from './errno.ts'

/** What is known of the bytes of a file. */
export interface FileContents {
  sizeBytes: number
  /** Lower-case hex. */
  sha256: string
}

/**
 * Reads a file once to learn the size and checksum of what is read.
 *
 * @throws the operating system's error when it cannot be read
 */
export async function readFileContents(path: string): Promise<FileContents> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of createReadStream(path)) {
    hash.update(chunk)
    sizeBytes += chunk.length
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}

/** The size of a file in bytes; 0 when there is none. */
export async function sizeIfAny(path: string): Promise<number> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0
    throw error
  }
}
