import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Executor, LaunchSpec } from '../executor.ts'
import { LaunchError } from '../executor.ts'
import { isAlive } from '../processes/identity.ts'
import { listenersOn } from '../processes/listening.ts'
import { openForWriting } from '../processes/open-files.ts'
import { readFileIfAny } from '../supervisor/atomic-file.ts'
import { EXIT_DISK_FULL, FILES, readRecord, withoutLogs, writeRecord } from '../supervisor/records.ts'
import { requestTermination } from '../supervisor/termination-request.ts'
import { inspectDirectory, treeOf } from './inspect.ts'
import { startSupervisor } from './start-supervisor.ts'

/** How long a supervisor may take to start, in milliseconds: normally 0.1 s, on a busy machine seconds. */
const START_TIMEOUT = 30_000

/** What all commands of a machine have in common. */
export interface LocalExecutorOptions {
  environment?: Record<string, string>
  workingDir?: string
}

/**
 * Runs commands on this machine. Everything it knows is in the execution's directory: any number of
 * these, in this process or in later ones, can be used for the same executions.
 *
 * Each command is started by a supervisor of its own, which outlives this process. A service manager
 * that ends everything of a service together with it (systemd's default) must be told not to:
 * KillMode=process.
 *
 * @param options.environment what every command inherits; nothing unless given
 * @param options.workingDir where commands start that do not say where; where this process does unless given
 */
export function createLocalExecutor({
  environment = {},
  workingDir = process.cwd(),
}: LocalExecutorOptions = {}): Executor {
  const launch = (spec: LaunchSpec) =>
    launchHere({ ...spec, cwd: spec.cwd ?? workingDir, env: { ...environment, ...spec.env } })
  return { launch, inspect: inspectDirectory, terminate, filesBeingWritten, isPortOfStranger, release }
}

async function launchHere(spec: LaunchSpec): Promise<void> {
  const { directory } = spec
  await access(directory)
  if (await readRecord(directory, 'supervisor')) return
  await writeRecord(directory, 'spec', spec)
  const supervisor = await startSupervisor('supervise', directory)

  const deadline = Date.now() + START_TIMEOUT
  for (let pause = 5; ; pause = Math.min(pause * 2, 100)) {
    // Asked first: a supervisor may claim the directory, do its work and end in between.
    const over = supervisor.hasEnded() || Date.now() > deadline
    if (await readRecord(directory, 'supervisor')) return
    if (over && supervisor.exitCode() === EXIT_DISK_FULL) throw new DiskFullError()
    if (over) throw new LaunchError(await explain(directory))
    await setTimeout(pause)
  }
}

/** A supervisor found no room on the disk; in the words of the system, because others read those too. */
class DiskFullError extends LaunchError {
  readonly code = 'ENOSPC'

  constructor() {
    super('There was no room on the disk for the supervisor to start.')
  }
}

async function explain(directory: string): Promise<string> {
  const log = await readFileIfAny(join(directory, FILES.supervisorLog))
  return `The supervisor in ${directory} did not start. ${log?.slice(-1000) ?? ''}`.trim()
}

async function terminate(directory: string, { graceSeconds }: { graceSeconds: number }): Promise<void> {
  if (await readRecord(directory, 'exit')) return
  await requestTermination(directory, graceSeconds)
  const supervisor = await readRecord(directory, 'supervisor')
  // Without a supervisor there is nothing to end yet, and one that comes will find the request.
  if (!supervisor) return
  if (isAlive(supervisor.identity)) {
    wake(supervisor.identity.pid)
    return
  }
  const tree = await treeOf(directory)
  if (((await tree?.()) ?? []).length === 0) return
  await startSupervisor('succeed', directory)
  const successor = await readRecord(directory, 'successor')
  if (successor && isAlive(successor.identity)) wake(successor.identity.pid)
}

/** Makes the supervisor look for the request now; without it, it does so within half a second. */
function wake(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM')
  } catch {
    // It has ended since it was looked at, and so have the processes.
  }
}

/** Everything is in the directory, which is the caller's; nothing but processes could be left elsewhere. */
async function release(directory: string): Promise<void> {
  const { state } = await inspectDirectory(directory)
  if (state === 'running' || state === 'starting') await terminate(directory, { graceSeconds: 0 })
}

async function filesBeingWritten(directory: string): Promise<string[]> {
  const tree = await treeOf(directory)
  const members = (await tree?.()) ?? []
  return withoutLogs(directory, await openForWriting(members.map((member) => member.pid)))
}

async function isPortOfStranger(directory: string, port: number): Promise<boolean> {
  const started = await readRecord(directory, 'process')
  if (!started) return false
  // Start times count up from the boot of the machine. What the command itself started is younger, wherever it is.
  const { startTime } = started.identity
  return (await listenersOn(port)).some((holder) => Number(holder.startTime) < Number(startTime))
}
