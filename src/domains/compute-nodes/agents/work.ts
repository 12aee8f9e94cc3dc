import { join } from 'node:path'
import { z } from 'zod'
import type { Database } from '../../../db/database.ts'
import { ConflictError } from '../../../errors.ts'
import type { ExecutionReport } from '../../../execution/executor.ts'
import type { Execution } from '../../../generated/prisma/client.ts'
import { kindOfId } from '../../../ids.ts'
import type { TelemetrySample } from '../../../machine/types.ts'
import { follow } from '../../../streams/follow.ts'
import type { Signals } from '../../../streams/signals.ts'
import { createTurns, type InTurn } from '../../../turns.ts'
import type { Principal } from '../../accounts/principal.ts'
import { type IncomingFile, whole } from '../../datasets/incoming-file.ts'
import { parseInput } from '../../input.ts'
import { announceNode, nodeTopics } from '../topics.ts'
import { requireAgentNode } from './agent-node.ts'
import type { Executions } from './executions.ts'
import { createInputLister, type Input } from './inputs.ts'
import type { Leases } from './leases.ts'
import { appendPiece, arrivedBytes, type OutputName } from './output-copy.ts'
import { refusingSilence } from './refusing-silence.ts'
import { parseReport } from './report.ts'
import { HeartbeatInput, RemoveInput, ReportExecutionInput, ResultInput, UploadInput } from './requests.ts'
import { addToFile, findMissing, putInPlace, removeResult, requireInside } from './result-files.ts'

/** What an agent is to do with an execution. */
export type Wish = 'RUN' | 'END' | 'DISCARD'

/** What an agent is to do with one execution, and how much of it has arrived here. */
export interface ExecutionOrder {
  executionId: string
  wish: Wish
  graceSeconds: number | null
  /** Whether the agent has told that it runs: then it must not be started again. */
  wasStarted: boolean
  stdoutBytes: number
  stderrBytes: number
}

/** What an agent is to do. */
export interface AgentOrders {
  leaseSeconds: number
  telemetrySeconds: number
  executions: ExecutionOrder[]
}

/** A command as an agent gets it. */
export interface Assignment {
  executionId: string
  argv: string[]
  workingDirectory: string | null
  environment: Record<string, string>
  markerName: string
  markerValue: string
  root: string | null
  output: string | null
  inputs: (Input & { files: (Input['files'][number] & { url: string })[] })[]
}

/** What the work of agents needs. */
export interface AgentWorkDependencies {
  database: Database
  signals: Signals
  executions: Executions
  leases: Leases
  telemetry: {
    record(nodeId: string, sample: TelemetrySample): void
    /** How often a node is to measure itself now, in seconds. */
    secondsOf(nodeId: string): number
  }
  /** Makes a signed link to a file that a command reads. */
  inputLink(executionId: string, input: number, file: { path: string; sha256: string }): string
}

export type AgentWork = ReturnType<typeof createAgentWork>

/** What agents do: they hear what to run, bring what it prints and leaves, and say how it goes. */
export function createAgentWork(deps: AgentWorkDependencies) {
  const { database, signals, executions, leases, telemetry } = deps
  const { prisma } = database
  const inputs = createInputLister()
  const turns = new Map<string, { inTurn: InTurn; users: number }>()

  /** One thing at a time with the output of an execution, and with its results: their files are appended to. */
  async function inTurnOf<T>(
    part: 'output' | 'results',
    executionId: string,
    work: () => Promise<T>,
  ): Promise<T> {
    // What a large result takes must not hold up what the command prints.
    const key = `${executionId} ${part}`
    const entry = turns.get(key) ?? { inTurn: createTurns(), users: 0 }
    turns.set(key, entry)
    entry.users++
    try {
      return await entry.inTurn(work)
    } finally {
      if (--entry.users === 0) turns.delete(key)
    }
  }

  async function heardOf(principal: Principal) {
    const node = await requireAgentNode(prisma, principal)
    await leases.renew(node.id)
    return node
  }

  async function orderOf(execution: Execution): Promise<ExecutionOrder> {
    const directory = executions.directoryOf(execution)
    const report: ExecutionReport | null = execution.report === null ? null : parseReport(execution.report)
    return {
      executionId: execution.id,
      wish: execution.isSettled ? 'DISCARD' : execution.endRequestedAt ? 'END' : 'RUN',
      graceSeconds: execution.graceSeconds,
      wasStarted: report !== null && report.state !== 'starting',
      stdoutBytes: await arrivedBytes(directory, 'stdout'),
      stderrBytes: await arrivedBytes(directory, 'stderr'),
    }
  }

  async function ordersOf(nodeId: string): Promise<AgentOrders> {
    const rows = await executions.listOf(nodeId)
    return {
      leaseSeconds: leases.nodeLeaseSeconds,
      telemetrySeconds: telemetry.secondsOf(nodeId),
      executions: await Promise.all(rows.map(orderOf)),
    }
  }

  /** The folder of everything that an execution has for itself. @throws ConflictError when it carries no files */
  async function carriedOf(execution: Execution) {
    const { carried } = await executions.specOf(execution)
    if (!carried?.output) throw new ConflictError('This execution has no results to bring.')
    return { root: carried.root, output: carried.output }
  }

  return {
    /** A word of an agent, with how its machine does. @returns what it is to do @throws ForbiddenError, ValidationError */
    async heartbeat(principal: Principal, input: unknown): Promise<AgentOrders> {
      const node = await heardOf(principal)
      const { sample, hardware } = parseInput(HeartbeatInput, input)
      if (sample) telemetry.record(node.id, sample)
      if (hardware) {
        await database.transaction((tx) =>
          tx.computeNode.update({ where: { id: node.id }, data: { hardware, updatedAt: new Date() } }),
        )
        announceNode(signals, node.id)
      }
      return ordersOf(node.id)
    },

    /** What an agent is to do: now, and whenever that changes. The latest counts. @throws ForbiddenError */
    async watchOrders(principal: Principal): Promise<AsyncIterableIterator<AgentOrders>> {
      const node = await heardOf(principal)
      return follow<AgentOrders, null>({
        signals,
        topic: nodeTopics.orders(node.id),
        from: null,
        read: async () => ({ item: await ordersOf(node.id), position: null, more: false, ended: false }),
      })
    },

    /** The command of an execution of the agent's own node. @throws ForbiddenError, NotFoundError */
    async assignment(principal: Principal, executionId: string): Promise<Assignment> {
      const node = await heardOf(principal)
      const execution = await executions.find(node.id, executionId)
      const spec = await executions.specOf(execution)
      const listed = await inputs.list(spec)
      return {
        executionId,
        argv: spec.argv,
        workingDirectory: spec.cwd,
        environment: spec.env,
        markerName: spec.marker.name,
        markerValue: spec.marker.value,
        root: spec.carried?.root ?? null,
        output: spec.carried?.output ?? null,
        inputs: listed.map((input, index) => ({
          ...input,
          files: input.files.map((file) => ({ ...file, url: deps.inputLink(executionId, index, file) })),
        })),
      }
    },

    /** A file that a command reads, for a link that was signed. @returns null when it is not there any more */
    async openInput(executionId: string, input: number, path: string): Promise<string | null> {
      const execution = await prisma.execution.findUnique({ where: { id: executionId, isSettled: false } })
      if (!execution) return null
      const folder = (await executions.specOf(execution)).carried?.inputs[input]
      if (folder === undefined) return null
      return path === '' ? folder : join(folder, requireInside(path, 'path'))
    },

    /** How an execution goes, with what it printed. @throws ForbiddenError, NotFoundError, ValidationError */
    async report(principal: Principal, input: unknown): Promise<ExecutionOrder> {
      const node = await heardOf(principal)
      const { executionId, report, ...pieces } = parseInput(ReportExecutionInput, input)
      return inTurnOf('output', executionId, async () => {
        const execution = await executions.find(node.id, executionId)
        const directory = executions.directoryOf(execution)
        if (!execution.isSettled) {
          for (const name of OUTPUTS) {
            const piece = pieces[name]
            if (piece) await appendPiece(directory, name, piece)
          }
          if (report) await executions.record(execution, report)
        }
        return orderOf(await executions.find(node.id, executionId))
      })
    },

    /**
     * Takes a piece of a file that belongs to a result.
     *
     * @returns how much of the file is there, in bytes: the next piece begins there
     * @throws ForbiddenError, NotFoundError, ValidationError, ConflictError
     */
    async uploadFile(principal: Principal, input: unknown, chunk: Promise<IncomingFile>): Promise<number> {
      const node = await heardOf(principal)
      const { executionId, offset, ...file } = parseInput(UploadInput, input)
      const piece = await chunk
      return inTurnOf('results', executionId, async () => {
        const execution = await executions.find(node.id, executionId)
        if (execution.isSettled) throw new ConflictError('This execution is over: nothing is taken any more.')
        const { root } = await carriedOf(execution)
        return addToFile(root, file, offset, refusingSilence(whole(piece), SILENCE_MS))
      })
    },

    /**
     * Puts a result into its place, once all of its files have arrived.
     *
     * @returns what has not arrived: nothing when it is in its place
     * @throws ForbiddenError, NotFoundError, ValidationError, ConflictError
     */
    async putResult(principal: Principal, input: unknown) {
      const node = await heardOf(principal)
      const { executionId, ...result } = parseInput(ResultInput, input)
      requireInside(result.name, 'name')
      return inTurnOf('results', executionId, async () => {
        const execution = await executions.find(node.id, executionId)
        if (execution.isSettled) throw new ConflictError('This execution is over: nothing is taken any more.')
        const { root, output } = await carriedOf(execution)
        const missing = await findMissing(root, result)
        if (missing.length === 0) await putInPlace(root, output, result)
        return missing
      })
    },

    /** Removes results that the command has deleted, but for those that people have tagged. */
    async removeResults(principal: Principal, input: unknown): Promise<string[]> {
      const node = await heardOf(principal)
      const { executionId, names } = parseInput(RemoveInput, input)
      return inTurnOf('results', executionId, async () => {
        const execution = await executions.find(node.id, executionId)
        if (execution.isSettled) return []
        const { output } = await carriedOf(execution)
        const kept = await taggedResults(execution)
        const removed = names.filter((name) => !kept.some((tagged) => isSameOrWithin(name, tagged)))
        for (const name of removed) await removeResult(output, name)
        return removed
      })
    },

    /** The agent has removed what it had of an execution that the server is done with. @throws ForbiddenError, NotFoundError */
    async release(principal: Principal, input: unknown): Promise<boolean> {
      const node = await heardOf(principal)
      const { executionId } = parseInput(z.object({ executionId: z.string() }), input)
      const execution = await executions.find(node.id, executionId)
      if (!execution.isSettled) throw new ConflictError('The server is not done with this execution yet.')
      await executions.forget(execution)
      return true
    },
  }

  async function taggedResults({ directory }: Execution): Promise<string[]> {
    const runId = directory.split('/').find((part) => kindOfId(part) === 'Run')
    const tagged = await prisma.artifact.findMany({
      where: { runId: runId ?? '', tags: { some: {} } },
      select: { name: true },
    })
    return tagged.map(({ name }) => name)
  }
}

/** Whether one path lies in the other, whichever, or they are the same. */
function isSameOrWithin(one: string, other: string): boolean {
  return `${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`)
}

/** How long nothing may come of a piece, in ms: who was cut off tries again, and must not have to wait for itself. */
const SILENCE_MS = 15_000

const OUTPUTS: OutputName[] = ['stdout', 'stderr']
