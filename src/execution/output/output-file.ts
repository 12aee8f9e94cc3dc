import { type FileHandle, open } from 'node:fs/promises'
import { hasCode } from '../supervisor/atomic-file.ts'
import type { LogLevel } from './level.ts'
import { createLineSplitter, type LineSplitter } from './lines.ts'
import type { OutputSource } from './text.ts'

/** How much of a file is read at once, in bytes. */
export const CHUNK_BYTES = 256 * 1024

/** A file that a process writes its output to, read on from where an earlier server stopped. */
export interface OutputFile {
  name: OutputSource
  splitter: LineSplitter
  /** The level of the line whose pieces are arriving; null between lines. */
  pieceLevel: LogLevel | null
  /** Reads on, at most a chunk, which is good until the next call; null when there is nothing new. */
  readNews(): Promise<News | null>
  close(): Promise<void>
}

/** What is new in a file. */
export interface News {
  bytes: Buffer
  /** When it was read, or written last if that was earlier, in epoch ms. */
  timestamp: number
}

/**
 * A file of output, which may not be there yet.
 *
 * @param offset how far it was taken before, in bytes
 */
export function openOutputFile(name: OutputSource, path: string, offset: number): OutputFile {
  const splitter = createLineSplitter(offset)
  let file: FileHandle | null = null
  /** Taken again and again while the process prints faster than it is read; null else. */
  let kept: Buffer | null = null
  /** How far the file was read; behind `splitter.offset` lies what is not a line yet. */
  let position = offset

  return {
    name,
    splitter,
    pieceLevel: null,
    async readNews() {
      file ??= await openIfThere(path)
      if (!file) return null
      const { size, mtimeMs } = await file.stat()
      if (size <= position) return null
      const length = Math.min(CHUNK_BYTES, size - position)
      kept = length === CHUNK_BYTES ? (kept ?? Buffer.allocUnsafe(CHUNK_BYTES)) : null
      const buffer = kept ?? Buffer.allocUnsafe(length)
      const { bytesRead } = await file.read(buffer, 0, length, position)
      if (bytesRead === 0) return null
      position += bytesRead
      // What is read late, after a restart, was not written later than the file says.
      return { bytes: buffer.subarray(0, bytesRead), timestamp: Math.min(Date.now(), mtimeMs) }
    },
    async close() {
      await file?.close()
    },
  }
}

/**
 * Empties an array of lines that nobody needs any more. What hangs on an array that has grown old stays until the
 * next full garbage collection: hundreds of MB of lines while a process prints as fast as it can.
 */
export function letGo(lines: unknown[]): void {
  lines.length = 0
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, 'r')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}
