import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { FILES } from '../execution/supervisor/records.ts'
import type { OutputPieceInput } from '../generated/operations.ts'
import { isErrno } from '../storage/errno.ts'

/** How much of each output the server has, in bytes. */
export interface OutputOffsets {
  stdoutBytes: number
  stderrBytes: number
}

/** What the server does not have yet. */
export interface OutputNews {
  /** A piece of each output of which it does not have all. */
  pieces: { stdout?: OutputPieceInput; stderr?: OutputPieceInput }
  hasPieces: boolean
  /** Whether there was more than goes into a piece. */
  hasMore: boolean
}

/** The largest piece of an output in one call, in bytes; the server takes twice as much. */
export const LARGEST_PIECE_BYTES = 256 * 1024

interface Piece {
  piece: OutputPieceInput
  isFull: boolean
}

/** What a command prints, as bytes in files that its supervisor owns. */
export interface Output {
  /** What follows the bytes that the server has, a piece of each of so many bytes at most. */
  next(offsets: OutputOffsets, pieceBytes: number): Promise<OutputNews>
  close(): Promise<void>
}

/** @param directory the supervisor's */
export function openOutput(directory: string): Output {
  const files = new Map<string, FileHandle>()

  async function openIfThere(name: 'stdout' | 'stderr'): Promise<FileHandle | null> {
    const known = files.get(name)
    if (known) return known
    try {
      const file = await open(join(directory, FILES[name]), 'r')
      files.set(name, file)
      return file
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return null
      throw error
    }
  }

  async function pieceOf(
    name: 'stdout' | 'stderr',
    offset: number,
    pieceBytes: number,
  ): Promise<Piece | undefined> {
    const file = await openIfThere(name)
    if (!file) return undefined
    const { size, mtimeMs } = await file.stat()
    if (size <= offset) return undefined
    const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, size - offset))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset)
    if (bytesRead === 0) return undefined
    const piece = {
      offset,
      bytes: buffer.toString('base64', 0, bytesRead),
      // What is read late was not written later than the file says.
      writtenAt: new Date(Math.min(Date.now(), mtimeMs)).toISOString(),
    }
    return { piece, isFull: bytesRead === pieceBytes }
  }

  return {
    async next({ stdoutBytes, stderrBytes }, pieceBytes) {
      const stdout = await pieceOf('stdout', stdoutBytes, pieceBytes)
      const stderr = await pieceOf('stderr', stderrBytes, pieceBytes)
      const found = [stdout, stderr].filter((piece) => piece !== undefined)
      return {
        pieces: { ...(stdout && { stdout: stdout.piece }), ...(stderr && { stderr: stderr.piece }) },
        hasPieces: found.length > 0,
        hasMore: found.some(({ isFull }) => isFull),
      }
    },
    async close() {
      for (const file of files.values()) await file.close()
    },
  }
}
