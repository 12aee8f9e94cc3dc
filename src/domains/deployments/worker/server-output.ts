import { join } from 'node:path'
import type { Database } from '../../../db/database.ts'
import { levelOf } from '../../../execution/output/level.ts'
import type { OutputLine } from '../../../execution/output/lines.ts'
import { CHUNK_BYTES, letGo, type OutputFile, openOutputFile } from '../../../execution/output/output-file.ts'
import type { ModelServer } from '../../../generated/prisma/client.ts'
import { appendLogLines, LOG_SOURCES, type NewLogLine, selectLogLines } from '../../../streams/log-lines.ts'
import type { Signals } from '../../../streams/signals.ts'
import { deploymentTopics } from '../lifecycle.ts'

/** How many lines at the end of a log are looked through for last words, and how many of them are quoted. */
const LAST_LINES = { searched: 50, quoted: 5 }
/** The longest part of them that a reason quotes. */
const MAX_QUOTE = 1000

/** Brings what a model server prints into the log of its deployment. */
export interface ServerOutput {
  /** Stores what is new; true when there may be more at once. */
  collect(): Promise<boolean>
  /** The process is over: stores the rest, an unfinished last line included. */
  finish(): Promise<void>
  close(): Promise<void>
}

/**
 * Continues where the last server stopped: lines and the position up to which the files were read are stored in one
 * transaction, so nothing is lost and nothing comes twice.
 */
export function createServerOutput(
  { database, signals }: { database: Database; signals: Signals },
  server: Pick<ModelServer, 'id' | 'starts' | 'stdoutOffset' | 'stderrOffset'>,
  options: { folder: string; logStreamId: number },
): ServerOutput {
  const { folder, logStreamId } = options
  const stdout = openOutputFile('STDOUT', join(folder, 'stdout.log'), Number(server.stdoutOffset))
  const stderr = openOutputFile('STDERR', join(folder, 'stderr.log'), Number(server.stderrOffset))
  let lastTimestamp = 0

  function toLogLines(file: OutputFile, lines: OutputLine[], timestamp: number): NewLogLine[] {
    // Time does not run back.
    lastTimestamp = Math.max(lastTimestamp, timestamp)
    const taken = lines.map(({ message, partial }): NewLogLine => {
      const level = file.pieceLevel ?? levelOf(message, file.name)
      file.pieceLevel = partial ? level : null
      return { timestamp: new Date(lastTimestamp), level, source: file.name, message, partial }
    })
    letGo(lines)
    return taken
  }

  async function store(lines: NewLogLine[]): Promise<void> {
    await database.transaction(async (tx) => {
      await appendLogLines(database, tx, logStreamId, lines)
      await tx.modelServer.updateMany({
        where: { id: server.id, starts: server.starts },
        data: { stdoutOffset: stdout.splitter.offset, stderrOffset: stderr.splitter.offset },
      })
    })
    if (lines.length > 0) signals.notify(deploymentTopics.stream(logStreamId))
    letGo(lines)
  }

  async function collect(): Promise<boolean> {
    let more = false
    const lines: NewLogLine[] = []
    let isNews = false
    for (const file of [stdout, stderr]) {
      const news = await file.readNews()
      if (!news) continue
      isNews = true
      more ||= news.bytes.length === CHUNK_BYTES
      // Bars that are drawn again and again are no lines; there is nothing to be understood of them here.
      lines.push(...toLogLines(file, file.splitter.push(news.bytes, news.timestamp), news.timestamp))
      file.splitter.takeUpdates()
    }
    if (isNews) await store(lines)
    return more
  }

  return {
    collect,
    async finish() {
      while (await collect());
      const rest = [stdout, stderr].flatMap((file) => toLogLines(file, file.splitter.end(), lastTimestamp))
      if (rest.length > 0) await store(rest)
    },
    async close() {
      await stdout.close()
      await stderr.close()
    },
  }
}

/** The last lines that a deployment's model server printed since its start; null when it printed nothing. */
export async function lastWords(database: Database, logStreamId: number): Promise<string | null> {
  const all = selectLogLines(logStreamId, null)
  const lines = await database.sql.readLogLines(database.prisma, all, LAST_LINES.searched, 'end')
  // The start of a process is noted by a line of Trainyard's own.
  const start = lines.findLastIndex(({ source }) => source === LOG_SOURCES.indexOf('SYSTEM'))
  const said = lines
    .slice(start + 1)
    .map(({ message }) => message.trim())
    .filter((message) => message !== '')
    .slice(-LAST_LINES.quoted)
    .join('\n')
  return said === '' ? null : said.slice(-MAX_QUOTE).toWellFormed()
}
