import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import parseRange from 'range-parser'
import { evaluatePreconditions, rangeStillApplies, type Validators } from './conditional.ts'
import type { ByteRange } from './storage.ts'

/** Something that can be downloaded, whole or in part. It must never change under the same `sha256`. */
export interface DownloadSource {
  sizeBytes: number
  /** The name the file is saved under; any characters. */
  filename: string
  /** SHA-256 of the whole, in hex. */
  sha256: string
  lastModified: Date
  /** Opens the whole, or the part named, which lies inside. Called at most once, and never for HEAD. */
  open(range?: ByteRange): Readable | Promise<Readable>
}

/** How a download went: `aborted` means that the client left before the end. */
export interface DownloadOutcome {
  status: number
  bytesSent: number
  aborted: boolean
}

/**
 * Answers a GET or HEAD request for a file as RFC 9110 has it: conditional requests, resuming with Range
 * and If-Range, a strong ETag and a digest (RFC 9530) from the SHA-256. Several ranges, or one that cannot
 * be understood, get the whole file. Always an attachment, so that nothing uploaded runs in a browser.
 *
 * The client leaving destroys the source. When the source fails, this rejects with its error: before the
 * first byte nothing is sent and the caller can still answer; later the connection is cut, so that no
 * client takes a part for the whole.
 */
export async function serveDownload(
  req: IncomingMessage,
  res: ServerResponse,
  source: DownloadSource,
): Promise<DownloadOutcome> {
  if (req.method !== 'GET' && req.method !== 'HEAD') {
    return answer(res, 405, { Allow: 'GET, HEAD', 'Content-Length': '0' })
  }
  const current = { etag: `"${source.sha256}"`, lastModified: source.lastModified }
  const common = {
    ETag: current.etag,
    'Last-Modified': source.lastModified.toUTCString(),
    'Cache-Control': 'private, no-transform',
    'Accept-Ranges': 'bytes',
    'X-Content-Type-Options': 'nosniff',
  }
  const precondition = evaluatePreconditions(req, current)
  if (precondition === 304) return answer(res, 304, common)
  if (precondition === 412) return answer(res, 412, { ...common, 'Content-Length': '0' })

  const range = requestedRange(req, current, source.sizeBytes)
  if (range === 'unsatisfiable') {
    const contentRange = `bytes */${source.sizeBytes}`
    return answer(res, 416, { ...common, 'Content-Range': contentRange, 'Content-Length': '0' })
  }
  const status = range ? 206 : 200
  const length = range ? range.end - range.start + 1 : source.sizeBytes
  const headers = {
    ...common,
    'Content-Type': 'application/octet-stream',
    'Content-Disposition': attachment(source.filename),
    'Content-Length': String(length),
    'Repr-Digest': `sha-256=:${Buffer.from(source.sha256, 'hex').toString('base64')}:`,
    ...(range && { 'Content-Range': `bytes ${range.start}-${range.end}/${source.sizeBytes}` }),
  }
  if (req.method === 'HEAD') return answer(res, status, headers)
  return sendBody(res, await source.open(range), length, () => res.writeHead(status, headers))
}

function answer(res: ServerResponse, status: number, headers: Record<string, string>): DownloadOutcome {
  res.writeHead(status, headers).end()
  return { status, bytesSent: 0, aborted: false }
}

/** The one range to send, or undefined for the whole. A Range header means something for GET only. */
function requestedRange(
  req: IncomingMessage,
  current: Validators,
  sizeBytes: number,
): ByteRange | 'unsatisfiable' | undefined {
  const header = req.headers.range
  if (header === undefined || req.method !== 'GET' || !rangeStillApplies(req, current)) return undefined
  if (!/^bytes\s*=/i.test(header) || header.includes(',')) return undefined
  const ranges = parseRange(sizeBytes, header)
  if (ranges === -2) return undefined
  // The last N bytes of a shorter file are all of it; range-parser calls that unsatisfiable.
  const suffix = /=\s*-0*([1-9]\d*)\s*$/.test(header)
  if (ranges === -1 && suffix && sizeBytes > 0) return { start: 0, end: sizeBytes - 1 }
  return ranges === -1 ? 'unsatisfiable' : ranges[0]
}

/** RFC 6266: the name in ASCII for old clients, and as it is in the encoding of RFC 5987 for the others. */
function attachment(filename: string): string {
  const ascii = filename.replace(/[^ -~]|["\\%]/g, '_')
  const encoded = encodeURIComponent(filename.toWellFormed()).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`
}

/**
 * Sends exactly `length` bytes. Not `stream.pipeline`, which would destroy the response when the source
 * fails before the first byte, and which does not mind a body that is shorter than announced.
 */
async function sendBody(res: ServerResponse, body: Readable, length: number, writeHead: () => void) {
  const client = new AbortController()
  const onClose = () => {
    client.abort()
    body.destroy()
  }
  res.once('close', onClose)
  if (res.destroyed) onClose()

  let bytesSent = 0
  const outcome = (aborted: boolean) => ({ status: res.statusCode, bytesSent, aborted })
  try {
    for await (const chunk of body) {
      if (bytesSent + chunk.length > length)
        throw new Error(`A download of ${length} bytes turned out longer`)
      if (!res.headersSent) writeHead()
      bytesSent += chunk.length
      if (!res.write(chunk)) await once(res, 'drain', { signal: client.signal })
    }
    if (bytesSent < length) throw new Error(`A download of ${length} bytes ended after ${bytesSent}`)
    if (!res.headersSent) writeHead()
    res.end()
    await finished(res)
    return outcome(false)
  } catch (error) {
    if (client.signal.aborted) return outcome(true)
    body.destroy()
    if (res.headersSent) res.destroy()
    throw error
  } finally {
    res.off('close', onClose)
  }
}
