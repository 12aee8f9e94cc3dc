import { open } from 'node:fs/promises'
import { sizeIfAny } from '../storage/file-contents.ts'
import { UnreachableError } from './errors.ts'

/**
 * Downloads what lies at a signed path below the address of the server, behind what of it is in the file already.
 *
 * @throws DownloadError when the server will not have it, UnreachableError when the connection breaks
 */
export type Download = (url: string, file: string, sizeBytes: number, signal: AbortSignal) => Promise<void>

/** The server does not give a file. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError'
  /** Whether it is gone; else another link may do. */
  readonly isGone: boolean

  constructor(message: string, isGone: boolean) {
    super(message)
    this.isGone = isGone
  }
}

/** What came is not what was announced. */
export class MismatchError extends Error {
  override readonly name = 'MismatchError'
  override readonly message = 'What came has another checksum than was announced.'
}

/** How long nothing may come, in ms. */
const SILENCE_MS = 20_000

/** @param server the address of the server */
export function createDownload(server: string): Download {
  return async (url, file, sizeBytes, signal) => {
    const had = await sizeIfAny(file)
    // More than there is to be is of no use; what is whole need not be asked for.
    const offset = had > sizeBytes ? 0 : had
    if (offset === sizeBytes && had === sizeBytes && sizeBytes > 0) return
    const silence = new AbortController()
    const cut = () => silence.abort(new UnreachableError(`Nothing came for ${SILENCE_MS / 1000} s.`))
    let timer = setTimeout(cut, SILENCE_MS)
    try {
      const response = await fetch(server + url, {
        headers: offset > 0 ? { Range: `bytes=${offset}-` } : {},
        signal: AbortSignal.any([signal, silence.signal]),
      })
      refuse(response)
      // A server that sends the whole is taken at its word.
      const isRest = response.status === 206
      const handle = await open(file, isRest ? 'a' : 'w', 0o600)
      let left = sizeBytes - (isRest ? offset : 0)
      try {
        for await (const chunk of response.body ?? []) {
          clearTimeout(timer)
          timer = setTimeout(cut, SILENCE_MS)
          // What goes on for ever must not fill the disk.
          left -= chunk.length
          if (left < 0) throw new MismatchError()
          await handle.appendFile(chunk)
        }
      } finally {
        await handle.close()
      }
    } catch (error) {
      signal.throwIfAborted()
      if (silence.signal.aborted) throw silence.signal.reason
      throw error instanceof TypeError
        ? new UnreachableError('The download broke off.', { cause: error })
        : error
    } finally {
      clearTimeout(timer)
    }
  }
}

function refuse({ ok, status }: Response): void {
  if (ok) return
  if (status === 429 || status >= 500)
    throw new UnreachableError(`The server answered ${status}.`, { waitMs: 1000 })
  throw new DownloadError(`The server answered ${status}.`, status === 404 || status === 409)
}
