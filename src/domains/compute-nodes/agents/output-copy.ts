import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { FILES } from '../../../execution/supervisor/records.ts'
import { sizeIfAny } from '../../../storage/file-contents.ts'

/** What a command prints to. */
export type OutputName = 'stdout' | 'stderr'

/** A piece of what a command printed. */
export interface OutputPiece {
  /** Where it begins, in bytes from the beginning of the output. */
  offset: number
  bytes: Uint8Array
  /** When the last of it was written. */
  writtenAt: Date
}

/** How much of an output has arrived, in bytes. */
export const arrivedBytes = (directory: string, name: OutputName): Promise<number> =>
  sizeIfAny(join(directory, FILES[name]))

/**
 * Adds a piece to the copy of an output: whatever of it has arrived before is left out, so that a piece may come
 * twice, and one that does not follow what is there is not taken. To be called for one piece of an output at a time.
 *
 * @returns how much has arrived now, in bytes
 */
export async function appendPiece(
  directory: string,
  name: OutputName,
  { offset, bytes, writtenAt }: OutputPiece,
): Promise<number> {
  const file = await open(join(directory, FILES[name]), 'a', 0o600)
  try {
    const { size } = await file.stat()
    if (offset > size || offset + bytes.length <= size) return size
    await file.appendFile(bytes.subarray(size - offset))
    // Lines that come late, because the network was gone, keep the time at which they were printed.
    const now = new Date()
    await file.utimes(now, writtenAt < now ? writtenAt : now)
    return offset + bytes.length
  } finally {
    await file.close()
  }
}
