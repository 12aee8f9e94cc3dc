import { type FileHandle, open } from 'node:fs/promises'
import { join, relative } from 'node:path'
import type { Logger } from 'pino'
import type { Candidate } from '../execution/artifacts/scan.ts'
import { UNREADABLE_CODES } from '../execution/artifacts/unreadable.ts'
import type { ResultFileInput } from '../generated/operations.ts'
import { isErrno } from '../storage/errno.ts'
import { readFileContents } from '../storage/file-contents.ts'
import type { Connection } from './connection.ts'
import { RefusedError } from './errors.ts'

/**
 * Brings a result to the server: says what it consists of, uploads what the server lacks, piece by piece, and says it
 * again.
 *
 * @returns whether the server has it; not what a script changed or removed meanwhile, or nobody may read
 */
export type BringResult = (executionId: string, candidate: Candidate, signal: AbortSignal) => Promise<boolean>

/** How often one is begun anew that the server finds to be other than it was said to be. */
const MAX_ATTEMPTS = 3
const MiB = 1024 * 1024
/** The pieces of an upload, in bytes: small at first, then as large as takes about a second or two. */
const FIRST_PIECE_BYTES = MiB
const SMALLEST_PIECE_BYTES = MiB / 4
const LARGEST_PIECE_BYTES = 8 * MiB
const PIECE_MS = 1500
/** How long a piece may take in one attempt, in ms, before a smaller one is tried. */
const ATTEMPT_MS = 30_000
/** The server reads everything again before it takes it; it may be as slow as this, in bytes per ms. */
const SLOWEST_CHECK = 20_000
const CHECK_MS = 60_000

/** @returns a function that adapts the size of what it sends at a time to the network */
export function createBringResult({
  connection,
  log,
}: {
  connection: Pick<Connection, 'putResult' | 'upload'>
  log: Logger
}): BringResult {
  let pieceBytes = FIRST_PIECE_BYTES

  async function upload(
    executionId: string,
    path: string,
    { sha256, sizeBytes }: ResultFileInput,
    received: number,
    signal: AbortSignal,
  ): Promise<void> {
    const file = await open(path, 'r')
    try {
      for (let offset = received; offset < sizeBytes; ) {
        const piece = { bytes: 0, attempts: 0, startedAt: 0 }
        const nextPiece = async () => {
          // What did not get through may have been too much for the network.
          if (piece.attempts++ > 0) pieceBytes = Math.max(SMALLEST_PIECE_BYTES, pieceBytes / 2)
          const bytes = await read(file, offset, Math.min(pieceBytes, sizeBytes - offset))
          piece.bytes = bytes.length
          piece.startedAt = performance.now()
          return { executionId, sha256, sizeBytes, offset, chunk: new File([bytes], 'piece') }
        }
        const arrived = await connection.upload(nextPiece, { signal, attemptMs: ATTEMPT_MS })
        adapt(piece.bytes, performance.now() - piece.startedAt)
        // The file is shorter now, or what had arrived is gone: the server is told anew what there is.
        if (arrived <= offset) return
        offset = arrived
      }
    } finally {
      await file.close()
    }
  }

  function adapt(bytes: number, ms: number): void {
    if (ms > 2 * PIECE_MS) pieceBytes = Math.max(SMALLEST_PIECE_BYTES, pieceBytes / 2)
    else if (ms < PIECE_MS / 2 && bytes === pieceBytes)
      pieceBytes = Math.min(LARGEST_PIECE_BYTES, pieceBytes * 2)
  }

  async function attempt(executionId: string, candidate: Candidate, signal: AbortSignal): Promise<boolean> {
    const { name, kind, path, sizeBytes } = candidate
    const files = await describe(candidate)
    const put = () =>
      connection.putResult(
        { executionId, name, isFolder: kind === 'folder', files },
        { signal, answerMs: CHECK_MS + Math.ceil(sizeBytes / SLOWEST_CHECK) },
      )
    const missing = await put()
    if (missing.length === 0) return true
    // Each content once, however many files have it.
    for (const { sha256, receivedBytes } of new Map(missing.map((file) => [file.sha256, file])).values()) {
      const file = files.find((described) => described.sha256 === sha256)
      if (file) await upload(executionId, join(path, file.path), file, receivedBytes, signal)
    }
    return (await put()).length === 0
  }

  return async (executionId, candidate, signal) => {
    try {
      for (let attempts = 0; attempts < MAX_ATTEMPTS; attempts++) {
        if (await attempt(executionId, candidate, signal)) return true
      }
      log.info({ result: candidate.name }, 'a result was changed while it was brought')
      return false
    } catch (error) {
      signal.throwIfAborted()
      const isRefused = error instanceof RefusedError && error.code === 'VALIDATION_FAILED'
      if (!isRefused && !isErrno(error, ...UNREADABLE_CODES)) throw error
      log.warn({ err: error, result: candidate.name }, 'a result cannot be brought')
      return false
    }
  }
}

/** The files of a result, with their checksums. */
async function describe({ path, kind, files }: Candidate): Promise<ResultFileInput[]> {
  const described: ResultFileInput[] = []
  for (const file of files) {
    described.push({
      path: kind === 'folder' ? relative(path, file) : '',
      ...(await readFileContents(file)),
    })
  }
  return described
}

/** So many bytes from a place on; fewer at the end of the file. */
async function read(file: FileHandle, offset: number, length: number): Promise<Buffer<ArrayBuffer>> {
  const buffer = Buffer.alloc(length)
  let filled = 0
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, offset + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
