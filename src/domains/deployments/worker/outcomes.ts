import type { Database, Transaction } from '../../../db/database.ts'
import type { ExecutionReport } from '../../../execution/executor.ts'
import type { ModelServer } from '../../../generated/prisma/client.ts'
import { appendLogLines, type LogLevel } from '../../../streams/log-lines.ts'
import { type DeploymentKey, settle, transition } from '../lifecycle.ts'
import { settingsOf } from '../settings.ts'
import type { ModelServerPhase } from '../status.ts'
import { lastWords } from './server-output.ts'

/** The report of an execution that is over. */
export type EndReport = Exclude<ExecutionReport, { state: 'absent' | 'starting' | 'running' }>

/** How long until a model server that crashed is started again, in s: the first time, and at most. */
const RESTART_DELAY = { first: 1, longest: 60 }
/** After how long in good health earlier crashes count no more, in ms. */
const FORGIVEN_AFTER_MS = 60_000

/** What decides when a model server has failed. */
export interface Limits {
  deploymentStartSeconds: number
  deploymentStopSeconds: number
  deploymentMaxRestarts: number
}

/** A model server, and the deployment that it is of. */
export type AttendedServer = ModelServer & { deployment: DeploymentKey }

/** Its command runs. */
export async function noteLaunched(
  database: Database,
  server: AttendedServer,
  { pid, startedAt }: { pid: number; startedAt: Date },
): Promise<void> {
  await database.transaction(async (tx) => {
    const launched: ModelServerPhase = 'LAUNCHED'
    const phase = server.phase === 'WAITING' ? launched : server.phase
    // How long another node took to get its files is no time in which it did not become healthy.
    const isFirst = server.phase === 'WAITING' && server.crashes === 0
    await tx.modelServer.update({
      where: { id: server.id },
      data: { pid, phase, launchedAt: startedAt, ...(isFirst && { tryingSince: new Date() }) },
    })
    await settle(tx, server.deploymentId, new Date())
  })
}

/** It can be used now, and what it was to replace is not needed any more. */
export async function noteHealthy(database: Database, server: AttendedServer, limits: Limits): Promise<void> {
  const at = new Date()
  await database.transaction(async (tx) => {
    const phase: ModelServerPhase = 'HEALTHY'
    await tx.modelServer.update({ where: { id: server.id }, data: { phase, healthySince: at } })
    await tx.modelServer.updateMany({
      where: { deploymentId: server.deploymentId, revision: { lt: server.revision }, ending: false },
      data: { ending: true, retired: true, killAfterSeconds: limits.deploymentStopSeconds },
    })
    await say(database, tx, server, 'INFO', 'It is healthy.')
    await settle(tx, server.deploymentId, at, null)
  })
}

/** It has been healthy for long enough: what was before counts no more. */
export async function forgiveCrashes(database: Database, server: AttendedServer): Promise<void> {
  const { crashes, healthySince } = server
  if (crashes === 0 || !healthySince || Date.now() - healthySince.getTime() < FORGIVEN_AFTER_MS) return
  await database.transaction((tx) =>
    tx.modelServer.update({ where: { id: server.id }, data: { crashes: 0 } }),
  )
}

/** It does not answer as it should any more, but runs. */
export async function noteUnhealthy(
  database: Database,
  server: AttendedServer,
  problem: string,
): Promise<void> {
  const at = new Date()
  await database.transaction(async (tx) => {
    const phase: ModelServerPhase = 'UNHEALTHY'
    await tx.modelServer.update({
      where: { id: server.id },
      data: { phase, healthySince: null, tryingSince: at },
    })
    await say(database, tx, server, 'WARNING', `It is not healthy: ${problem}.`)
    await settle(tx, server.deploymentId, at, `It is not healthy: ${problem}.`)
  })
}

/** Its node is not heard of: what was healthy, or tried to be, is so no more as far as anybody knows. */
export async function noteAway(
  database: Database,
  server: AttendedServer,
  node: { name: string },
): Promise<void> {
  if (server.phase === 'HEALTHY') {
    return noteUnhealthy(database, server, `compute node ${node.name} is not heard of`)
  }
  await database.transaction((tx) =>
    say(database, tx, server, 'WARNING', `Compute node ${node.name} is not heard of.`),
  )
}

/** Its node is heard of again: from now on it has to become healthy. */
export async function noteBack(database: Database, server: AttendedServer): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.modelServer.updateMany({
      where: { id: server.id, phase: { not: 'HEALTHY' } },
      data: { tryingSince: new Date() },
    })
    await say(database, tx, server, 'INFO', 'Its compute node is heard of again.')
  })
}

/** It runs, but does not become healthy in time: it is ended, and its deployment has failed. */
export async function giveUp(
  database: Database,
  server: AttendedServer,
  problem: string,
  limits: Limits,
): Promise<void> {
  const what = `It did not become healthy within ${limits.deploymentStartSeconds} s: ${problem}.`
  const reason = quoting(what, await lastWords(database, server.deployment.logStreamId))
  await database.transaction(async (tx) => {
    await say(database, tx, server, 'ERROR', what)
    await tx.modelServer.update({
      where: { id: server.id },
      data: { ending: true, killAfterSeconds: limits.deploymentStopSeconds },
    })
    await failWithout(tx, server, reason)
  })
}

/**
 * Its process is over, and nothing of it is left. Its place is given up when it was to end, or has crashed too often;
 * else another process follows in it.
 *
 * @param cause why it was ended from here, if it was; for people
 */
export async function conclude(
  database: Database,
  { id, deployment }: AttendedServer,
  report: EndReport,
  cause: string | null,
  limits: Limits,
): Promise<void> {
  const words = await lastWords(database, deployment.logStreamId)
  const at = new Date()
  await database.transaction(async (tx) => {
    const server = await tx.modelServer.findUniqueOrThrow({ where: { id }, include: { deployment: true } })
    const how = cause ?? howItEnded(report)
    if (server.ending) {
      await say(database, tx, server, 'INFO', how)
      await tx.modelServer.delete({ where: { id } })
      return settle(tx, server.deploymentId, at)
    }
    const wasHealthy = server.phase === 'HEALTHY' || server.phase === 'UNHEALTHY'
    const tryingMs = wasHealthy ? 0 : at.getTime() - server.tryingSince.getTime()
    const crashes = server.crashes + 1
    const delay = Math.min(RESTART_DELAY.first * 2 ** (crashes - 1), RESTART_DELAY.longest)
    const isTooLate = tryingMs + delay * 1000 > limits.deploymentStartSeconds * 1000
    if (crashes > limits.deploymentMaxRestarts || isTooLate) {
      const often = crashes > 1 ? ` It crashed ${crashes} times in a row.` : ''
      await say(database, tx, server, 'ERROR', `${how}${often}`)
      await tx.modelServer.delete({ where: { id } })
      return failWithout(tx, server, quoting(`${how}${often}`, words))
    }
    const next = `${how} It is started again in ${delay} s.`
    await say(database, tx, server, 'ERROR', next)
    await restart(tx, server, { at, delay, crashes, wasHealthy })
    await tx.deployment.update({ where: { id: server.deploymentId }, data: { restarts: { increment: 1 } } })
    await settle(tx, server.deploymentId, at, quoting(next, words))
  })
}

/** It is to end and was never launched: its place is free at once. */
export async function releasePlace(database: Database, server: AttendedServer): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.modelServer.delete({ where: { id: server.id } })
    await settle(tx, server.deploymentId, new Date())
  })
}

async function restart(
  tx: Transaction,
  server: ModelServer,
  { at, delay, crashes, wasHealthy }: { at: Date; delay: number; crashes: number; wasHealthy: boolean },
): Promise<void> {
  const phase: ModelServerPhase = 'WAITING'
  await tx.modelServer.update({
    where: { id: server.id },
    data: {
      phase,
      crashes,
      starts: { increment: 1 },
      launchAt: new Date(at.getTime() + delay * 1000),
      launchedAt: null,
      healthySince: null,
      pid: null,
      stdoutOffset: 0,
      stderrOffset: 0,
      ...(wasHealthy && { tryingSince: at }),
    },
  })
}

/**
 * A model server does not work. While another one serves, what it was to bring is taken back; without one the
 * deployment has failed.
 */
async function failWithout(tx: Transaction, server: ModelServer, reason: string): Promise<void> {
  const at = new Date()
  const { deploymentId } = server
  const other = await tx.modelServer.findFirst({
    where: { deploymentId, ending: false, id: { not: server.id } },
    orderBy: { revision: 'desc' },
  })
  if (!other) {
    await transition(tx, deploymentId, 'FAILED', at, { statusReason: reason, stoppedAt: at })
    return settle(tx, deploymentId, at)
  }
  const { extraArgs, ...settings } = settingsOf(other.settings)
  const isOlder = other.revision < server.revision
  await tx.deployment.update({
    where: { id: deploymentId },
    data: isOlder ? { ...settings, extraArgs } : {},
  })
  await settle(tx, deploymentId, at, isOlder ? `The change was taken back. ${reason}` : undefined)
}

async function say(
  database: Database,
  tx: Transaction,
  { deployment: { logStreamId } }: Pick<AttendedServer, 'deployment'>,
  level: LogLevel,
  message: string,
): Promise<void> {
  await appendLogLines(database, tx, logStreamId, [
    { timestamp: new Date(), level, source: 'SYSTEM', message },
  ])
}

function howItEnded(report: EndReport): string {
  switch (report.state) {
    case 'failed':
      return `It could not be started: ${report.reason}.`
    case 'withdrawn':
      return 'It was ended before it was started.'
    case 'lost':
      return `It is gone: ${report.reason}`
    case 'exited': {
      const { exitCode, signal, termination, cleanup } = report
      if (termination) return cleanup.killed ? 'It did not end by itself and was killed.' : 'It has ended.'
      return signal === null ? `It ended with exit code ${exitCode}.` : `It was ended by ${signal}.`
    }
  }
}

function quoting(reason: string, words: string | null): string {
  return words === null ? reason : `${reason} The last lines of its log:\n${words}`
}
