import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import { downloadOf } from '../domains/artifacts/contents.ts'
import type { AuditExports, ExportLink } from '../domains/audit/export.ts'
import type { AgentWork } from '../domains/compute-nodes/agents/work.ts'
import { artifactPath } from '../domains/runs/artifact-path.ts'
import { DomainError } from '../errors.ts'
import type { DownloadLink } from '../graphql/context.ts'
import { type DownloadSource, serveDownload } from '../storage/download.ts'
import type { DownloadSigner } from '../storage/download-signer.ts'
import { isErrno } from '../storage/errno.ts'
import type { Storage } from '../storage/storage.ts'
import { sendText } from './respond.ts'
import { sendExport } from './send-export.ts'

/** Where downloads live; everything below is signed. */
export const DOWNLOADS_PATH = '/downloads/'

/** Where files of the audit trail live. */
const EXPORTS_PATH = `${DOWNLOADS_PATH}audit/`

/** Where files for commands on other machines live. */
const INPUTS_PATH = `${DOWNLOADS_PATH}executions/`

/** What serving downloads needs. */
export interface DownloadDependencies {
  database: Database
  storage: Storage
  signer: DownloadSigner
  auditExports: Pick<AuditExports, 'open'>
  agentWork: Pick<AgentWork, 'openInput'>
  log: Logger
}

/** Makes absolute, signed links. @param publicUrl where clients reach the server */
export function createDownloadLink(signer: DownloadSigner, publicUrl: () => string): DownloadLink {
  return (kind, id, filename) =>
    publicUrl() + signer.sign(`${DOWNLOADS_PATH}${kind}/${id}/${encodeURIComponent(filename)}`)
}

/** Makes links to files of the audit trail; what is in them stands in their claims. */
export function createExportLink(signer: DownloadSigner, publicUrl: () => string): ExportLink {
  return (filename, claims) => {
    const url = publicUrl() + signer.sign(EXPORTS_PATH + filename, claims)
    return { url, expiresAt: new Date(Number(new URL(url).searchParams.get('expires')) * 1000) }
  }
}

/** Makes links to files that commands on other machines read, below whatever address they know the server by. */
export function createInputLink(signer: DownloadSigner) {
  return (executionId: string, input: number, { path, sha256 }: { path: string; sha256: string }): string =>
    signer.sign(INPUTS_PATH + executionId, { input: String(input), path, sha256 })
}

/** Answers requests for signed links: the signature is what lets one in. */
export function createDownloadHandler(deps: DownloadDependencies) {
  const { database, storage, signer, auditExports, agentWork, log } = deps

  return async function handleDownload(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const link = signer.verify(req.url ?? '')
    if (!link.ok) {
      const why =
        link.reason === 'expired'
          ? 'This link has expired: ask the API for a new one.'
          : 'This link is not valid.'
      return sendText(res, link.reason === 'expired' ? 410 : 403, why)
    }
    try {
      if (link.path.startsWith(EXPORTS_PATH)) {
        const opened = await auditExports.open(link.claims)
        return opened
          ? await sendExport(req, res, opened)
          : sendText(res, 404, 'What this link led to does not exist any more.')
      }
      const source = link.path.startsWith(INPUTS_PATH)
        ? await findInput(link.path, link.claims)
        : await findSource(link.path)
      if (!source) return sendText(res, 404, 'What this link led to does not exist any more.')
      await serveDownload(req, res, source)
    } catch (error) {
      if (res.headersSent) throw error
      if (isErrno(error, 'ENOENT'))
        return sendText(res, 404, 'What this link led to does not exist any more.')
      if (error instanceof DomainError) return sendText(res, 409, error.message)
      log.error({ err: error, path: link.path }, 'a download failed')
      sendText(res, 500, 'The download failed.')
    }
  }

  async function findInput(path: string, claims: Record<string, string>): Promise<DownloadSource | null> {
    const { input = '', path: inside = '', sha256 = '' } = claims
    const file = await agentWork.openInput(path.slice(INPUTS_PATH.length), Number(input), inside)
    return file === null ? null : downloadOf(file, sha256)
  }

  async function findSource(path: string): Promise<DownloadSource | null> {
    const [kind, id] = path.slice(DOWNLOADS_PATH.length).split('/')
    if (id === undefined) return null
    if (kind === 'dataset-files') {
      const file = await database.prisma.datasetFile.findUnique({ where: { id } })
      return (
        file && {
          sizeBytes: Number(file.sizeBytes),
          filename: file.filename,
          sha256: file.sha256,
          lastModified: file.uploadedAt,
          open: async (range) => (await storage.open(file.storageKey, range)).stream,
        }
      )
    }
    if (kind !== 'artifacts') return null
    const artifact = await database.prisma.artifact.findUnique({ where: { id } })
    return artifact && downloadOf(artifactPath(artifact), artifact.sha256 ?? '')
  }
}
