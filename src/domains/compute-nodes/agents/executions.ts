import { join, relative } from 'node:path'
import type { Database } from '../../../db/database.ts'
import { NotFoundError } from '../../../errors.ts'
import type { ExecutionReport, LaunchSpec } from '../../../execution/executor.ts'
import { readRecord, writeRecord } from '../../../execution/supervisor/records.ts'
import {
  readTerminationRequest,
  remainingGrace,
  requestTermination,
} from '../../../execution/supervisor/termination-request.ts'
import type { Execution } from '../../../generated/prisma/client.ts'
import { newId } from '../../../ids.ts'
import type { Signals } from '../../../streams/signals.ts'
import { nodeTopics } from '../topics.ts'
import { parseReport, storedReport, withinTimes } from './report.ts'
import { removeArriving } from './result-files.ts'

/** What keeping the executions of other nodes needs. */
export interface ExecutionDependencies {
  database: Database
  signals: Signals
  /** Directories are stored as seen from here, so that the folder may move. */
  dataDir: string
}

export type Executions = ReturnType<typeof createExecutions>

/**
 * The commands that were given to agents. A row says to whom and what became of it; what it is, and what it printed,
 * lies in its directory on this machine, where the agent's copy arrives byte for byte.
 */
export function createExecutions({ database, signals, dataDir }: ExecutionDependencies) {
  const { prisma } = database
  /** What agents told of the executions that somebody asks about, which is many times a second. */
  const reports = new Map<string, ExecutionReport>()
  /** The directories of all executions. */
  const given = new Set<string>()

  const nameOf = (directory: string) => relative(dataDir, directory)

  async function reportOf(directory: string): Promise<ExecutionReport> {
    const name = nameOf(directory)
    const known = reports.get(name)
    if (known) return known
    const row = await prisma.execution.findUnique({ where: { directory: name } })
    if (!row) return { state: 'absent' }
    const report: ExecutionReport = row.report === null ? { state: 'starting' } : parseReport(row.report)
    reports.set(name, report)
    return report
  }

  /** What is to end does so by the earliest of all deadlines. */
  async function requestEnd(directory: string, graceSeconds: number): Promise<void> {
    await requestTermination(directory, graceSeconds)
    await passEndOn(directory)
  }

  async function passEndOn(directory: string): Promise<void> {
    const request = await readTerminationRequest(directory)
    if (!request) return
    const graceSeconds = Math.max(0, remainingGrace(request)) / 1000
    const nodeId = await database.transaction(async (tx) => {
      const row = await tx.execution.findUnique({ where: { directory: nameOf(directory) } })
      if (!row) return null
      await tx.execution.update({
        where: { id: row.id },
        data: { graceSeconds, endRequestedAt: new Date() },
      })
      return row.nodeId
    })
    if (nodeId !== null) signals.notify(nodeTopics.orders(nodeId))
  }

  return {
    /** Takes up what an earlier server gave. */
    async start(): Promise<void> {
      const rows = await prisma.execution.findMany({ select: { directory: true } })
      for (const { directory } of rows) given.add(directory)
    },

    /** Whether a directory is that of a command of another node. */
    has: (directory: string): boolean => given.has(nameOf(directory)),

    reportOf,
    requestEnd,

    /** Gives a command to a node, once. */
    async give(nodeId: string, spec: LaunchSpec): Promise<void> {
      const directory = nameOf(spec.directory)
      if ((await prisma.execution.count({ where: { directory } })) > 0) return
      await writeRecord(spec.directory, 'spec', spec)
      await database.transaction((tx) =>
        tx.execution.create({
          data: { id: newId('Execution'), nodeId, directory, createdAt: new Date() },
        }),
      )
      given.add(directory)
      // An end that was asked for in between found no row to write itself to.
      await passEndOn(spec.directory)
      signals.notify(nodeTopics.orders(nodeId))
    },

    /** The server is done with an execution: its agent is told to remove what is left of it. */
    async settle(directory: string): Promise<void> {
      const name = nameOf(directory)
      const spec = await readRecord(directory, 'spec')
      if (spec?.carried) await removeArriving(spec.carried.root)
      const row = await database.transaction(async (tx) => {
        const found = await tx.execution.findUnique({ where: { directory: name } })
        return found && tx.execution.update({ where: { id: found.id }, data: { isSettled: true } })
      })
      reports.delete(name)
      if (row) signals.notify(nodeTopics.orders(row.nodeId))
    },

    /** An execution of a node. @throws NotFoundError for those of other nodes too */
    async find(nodeId: string, executionId: string): Promise<Execution> {
      const row = await prisma.execution.findUnique({ where: { id: executionId, nodeId } })
      if (row) return row
      throw new NotFoundError('execution', executionId)
    },

    /** All executions that a node still has to do with, the oldest first. */
    listOf: (nodeId: string): Promise<Execution[]> =>
      prisma.execution.findMany({ where: { nodeId }, orderBy: { id: 'asc' } }),

    /** Where the execution lies on this machine. */
    directoryOf: ({ directory }: Pick<Execution, 'directory'>): string => join(dataDir, directory),

    /** What the command is. @throws NotFoundError when its folder is gone, with what it belongs to */
    async specOf(execution: Execution): Promise<LaunchSpec> {
      const spec = await readRecord(join(dataDir, execution.directory), 'spec')
      if (spec) return spec
      throw new NotFoundError('execution', execution.id)
    },

    /** Writes down what an agent tells. The last word stays: nothing follows the end of an execution. */
    async record(execution: Execution, told: ExecutionReport): Promise<void> {
      const known = execution.report === null ? null : parseReport(execution.report)
      if (known && isOver(known)) return
      const now = new Date()
      const report = withinTimes(told, execution.createdAt, now)
      await database.transaction((tx) =>
        tx.execution.updateMany({
          where: { id: execution.id },
          data: { report: storedReport(report), reportedAt: now },
        }),
      )
      if (!execution.isSettled) reports.set(execution.directory, report)
    },

    /** The agent has removed what it had of a settled execution. */
    async forget(execution: Execution): Promise<void> {
      await database.transaction((tx) =>
        tx.execution.deleteMany({ where: { id: execution.id, isSettled: true } }),
      )
      reports.delete(execution.directory)
      given.delete(execution.directory)
    },
  }
}

/** Whether an execution has ended, in whatever way. */
export function isOver({ state }: ExecutionReport): boolean {
  return state !== 'absent' && state !== 'starting' && state !== 'running'
}
