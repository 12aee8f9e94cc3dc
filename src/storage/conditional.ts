import type { IncomingMessage } from 'node:http'

/** What identifies the present version of a file; see RFC 9110, section 8.8. */
export interface Validators {
  /** A strong entity tag, quotes included. */
  etag: string
  lastModified: Date
}

/**
 * Weighs the preconditions of a GET or HEAD request in the order of RFC 9110, section 13.2.2: 412 when
 * the client insists on another version, 304 when it has this one already, null when it is to be sent.
 */
export function evaluatePreconditions(req: IncomingMessage, current: Validators): 304 | 412 | null {
  const { headers } = req
  if (headers['if-match'] !== undefined) {
    if (!listsTag(headers['if-match'], current.etag, 'strong')) return 412
  } else if (changedSince(headers['if-unmodified-since'], current) === true) {
    return 412
  }
  if (headers['if-none-match'] !== undefined) {
    return listsTag(headers['if-none-match'], current.etag, 'weak') ? 304 : null
  }
  return changedSince(headers['if-modified-since'], current) === false ? 304 : null
}

/** Whether the client's Range still means what it thinks: its If-Range, if any, names this version. */
export function rangeStillApplies(req: IncomingMessage, current: Validators): boolean {
  const header = req.headers['if-range']
  if (typeof header !== 'string') return true
  if (header.includes('"')) return header.trim() === current.etag
  return Date.parse(header) === wholeSeconds(current.lastModified)
}

function listsTag(header: string, etag: string, comparison: 'strong' | 'weak'): boolean {
  if (header.trim() === '*') return true
  const tags = header.match(/(?:W\/)?"[^"]*"/g) ?? []
  return tags.some((tag) => (comparison === 'weak' ? tag.replace(/^W\//, '') : tag) === etag)
}

/** Undefined when there is no date to compare with, or none that can be read. */
function changedSince(date: string | undefined, current: Validators): boolean | undefined {
  const since = Date.parse(date ?? '')
  return Number.isNaN(since) ? undefined : wholeSeconds(current.lastModified) > since
}

/** HTTP dates have no fractions of a second. */
function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000
}
