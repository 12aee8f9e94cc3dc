import { z } from 'zod'
import type { Database } from '../../db/database.ts'
import type { AuditEvent } from '../../generated/prisma/client.ts'
import { type Principal, requireAdministrator } from '../accounts/principal.ts'
import { JsonObjectInput, parseInput } from '../input.ts'
import { EXPORT_FORMATS, FORMAT_WRITERS } from './export-formats.ts'
import { AuditFilterInput, matchingEvents } from './filter.ts'
import { recordEvent } from './record.ts'

/** How many events are read, and sent, at a time. */
const PAGE_SIZE = 500

/** A link to a file of events. */
export interface AuditExport {
  url: string
  /** When the link stops to work. */
  expiresAt: Date
}

/** Makes a link to an export, with what it is of under the signature. */
export type ExportLink = (filename: string, claims: Record<string, string>) => AuditExport

/** An export on its way to whoever has the link. */
export interface OpenedExport {
  filename: string
  contentType: string
  /** The file, piece by piece: whatever its size, one page of events is in memory. */
  pieces: AsyncIterable<string>
}

/** What exporting needs. */
export interface AuditExportDependencies {
  database: Database
  exportLink: ExportLink
}

export type AuditExports = ReturnType<typeof createAuditExports>

/** Files of events: made by a request that is an event itself, fetched by a link that says what is in them. */
export function createAuditExports({ database, exportLink }: AuditExportDependencies) {
  const { prisma } = database

  async function* read(claims: ExportClaims): AsyncGenerator<string, void, undefined> {
    const where = await matchingEvents(prisma, claims.filter)
    const writer = FORMAT_WRITERS[claims.format]
    if (writer.head) yield writer.head
    let last = ''
    for (;;) {
      const page: AuditEvent[] = await prisma.auditEvent.findMany({
        where: { AND: [where, { id: { gt: last, lte: claims.upTo } }] },
        orderBy: { id: 'asc' },
        take: PAGE_SIZE,
      })
      const newest = page.at(-1)
      if (!newest) return
      yield page.map(writer.line).join('')
      last = newest.id
    }
  }

  return {
    /** Makes a link to the events that there are now, and writes down that it did. @throws ForbiddenError, ValidationError */
    async create(principal: Principal, input: unknown): Promise<AuditExport> {
      const { userId } = requireAdministrator(principal)
      const { filter, format } = parseInput(ExportAuditInput, input)
      // As it is written into the link.
      const filterText = JSON.stringify(filter)
      const details = { format, filter: parseInput(Written.pipe(JsonObjectInput), filterText) }
      const upTo = await database.transaction(async (tx) => {
        await recordEvent(tx, principal, { action: 'AUDIT_EXPORTED', details })
        const newest = await tx.auditEvent.findFirstOrThrow({ orderBy: { id: 'desc' }, select: { id: true } })
        return newest.id
      })
      return exportLink(FORMAT_WRITERS[format].filename, { format, filter: filterText, upTo, by: userId })
    },

    /**
     * What a link leads to, oldest first.
     *
     * @param claims what stands under its signature
     * @returns null when whoever asked for it is no administrator any more
     */
    async open(claims: Record<string, string>): Promise<OpenedExport | null> {
      const parsed = parseInput(ExportClaims, claims)
      const isStillOne = { id: parsed.by, role: 'ADMIN', deactivatedAt: null, mustChangePassword: false }
      if ((await prisma.user.count({ where: isStillOne })) === 0) return null
      const { filename, contentType } = FORMAT_WRITERS[parsed.format]
      return { filename, contentType, pieces: read(parsed) }
    },
  }
}

const ExportAuditInput = z.object({
  filter: AuditFilterInput.nullish().transform((filter) => filter ?? {}),
  format: z.enum(EXPORT_FORMATS),
})

const Written = z.string().transform((text): unknown => JSON.parse(text))

const ExportClaims = z.object({
  format: z.enum(EXPORT_FORMATS),
  filter: Written.pipe(AuditFilterInput),
  /** The newest event: the link does not show what is done after it was made. */
  upTo: z.string(),
  /** Id of the administrator who asked. */
  by: z.string(),
})
type ExportClaims = z.output<typeof ExportClaims>
