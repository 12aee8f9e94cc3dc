import type { AuditEvent } from '../../generated/prisma/client.ts'

/** The forms that the audit trail can be had in as a file. */
export const EXPORT_FORMATS = ['JSON_LINES', 'CSV'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

/** How a file of a format is written. */
interface FormatWriter {
  filename: string
  contentType: string
  /** What stands before the first event. */
  head: string
  /** One event, with its line ending. */
  line(event: AuditEvent): string
}

/** What a file says of an event, in this order, under the names that the API has for it. */
const FIELDS = {
  id: (event) => event.id,
  at: (event) => event.createdAt.toISOString(),
  action: (event) => event.action,
  actorKind: (event) => event.actorKind,
  actorId: (event) => event.actorId,
  actorName: (event) => event.actorName,
  sessionId: (event) => event.sessionId,
  tokenId: (event) => event.tokenId,
  targetKind: (event) => event.targetKind,
  targetId: (event) => event.targetId,
  targetName: (event) => event.targetName,
  ipAddress: (event) => event.address,
  userAgent: (event) => event.userAgent,
} satisfies Record<string, (event: AuditEvent) => string | null>

/**
 * What a spreadsheet would take for the beginning of a formula. Names, and above all user agents, are chosen by
 * strangers, and `=HYPERLINK(…)` would run on the desk of the administrator who opens the file.
 */
const FORMULA = /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/

/** How each format is written. */
export const FORMAT_WRITERS: Record<ExportFormat, FormatWriter> = {
  JSON_LINES: {
    filename: 'audit.jsonl',
    contentType: 'application/jsonl; charset=utf-8',
    head: '',
    line: (event) => {
      const fields = Object.entries(FIELDS).map(([name, read]) => [name, read(event)])
      return `${JSON.stringify({ ...Object.fromEntries(fields), details: event.details })}\n`
    },
  },
  CSV: {
    filename: 'audit.csv',
    contentType: 'text/csv; charset=utf-8; header=present',
    head: csvLine([...Object.keys(FIELDS), 'details']),
    line: (event) => {
      const cells = Object.values(FIELDS).map((read) => read(event) ?? '')
      return csvLine([...cells, JSON.stringify(event.details)])
    },
  },
}

function csvLine(cells: string[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

/** A cell as RFC 4180 has it, always in quotes; an apostrophe makes text of what looks like a formula. */
function csvCell(text: string): string {
  const harmless = FORMULA.test(text) ? `'${text}` : text
  return `"${harmless.replaceAll('"', '""')}"`
}
