import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionReport, LaunchSpec } from '../../../src/execution/executor.ts'
import { createLocalExecutor } from '../../../src/execution/local/local-executor.ts'
import { isAlive } from '../../../src/execution/processes/identity.ts'
import { createTree } from '../../../src/execution/processes/tree.ts'
import { readRecord } from '../../../src/execution/supervisor/records.ts'
import { until } from '../../support/until.ts'

export const executor = createLocalExecutor()

/** One execution in a temporary folder of its own, and what a test wants to know about it. */
export interface Execution {
  spec: LaunchSpec
  directory: string
  /** A file in the command's working directory. */
  path: (name: string) => string
  has: (name: string) => boolean
  text: (name: string) => string
  touch: (name: string) => Promise<void>
  launch: () => Promise<void>
  inspect: () => Promise<ExecutionReport>
  terminate: (graceSeconds: number) => Promise<void>
  /** Waits for a report with this state. */
  reaches: <State extends ExecutionReport['state']>(
    state: State,
  ) => Promise<Extract<ExecutionReport, { state: State }>>
  /** Ids of the living processes with this execution's marker, and of their descendants. */
  processes: () => Promise<number[]>
  supervisorPid: () => Promise<number>
}

const executions: Execution[] = []

/** An execution of a bash script whose working directory is `path('')`. */
export function bash(script: string): Promise<Execution> {
  return execution(['bash', '-c', script])
}

/** An execution of any command, not launched yet. */
export async function execution(
  argv: LaunchSpec['argv'],
  options: Partial<LaunchSpec> = {},
): Promise<Execution> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'trainyard-execution-')))
  const directory = join(folder, 'execution')
  const cwd = join(folder, 'work')
  mkdirSync(directory)
  mkdirSync(cwd)
  const marker = { name: 'TRAINYARD_TEST_RUN', value: randomUUID() }
  const spec: LaunchSpec = { directory, argv, cwd, env: { PATH: SYSTEM_PATH }, marker, ...options }
  const path = (name: string) => join(cwd, name)
  const inspect = () => executor.inspect(directory)
  const tree = createTree({ marker, root: null })
  const created: Execution = {
    spec,
    directory,
    path,
    has: (name) => existsSync(path(name)),
    text: (name) => readFileSync(path(name), 'utf8'),
    touch: (name) => writeFile(path(name), ''),
    launch: () => executor.launch(spec),
    inspect,
    terminate: (graceSeconds) => executor.terminate(directory, { graceSeconds }),
    reaches: (state) =>
      until(`the state is ${state}`, async () => {
        const report = await inspect()
        return hasState(report, state) ? report : null
      }),
    processes: async () => (await tree()).map((entry) => entry.pid),
    supervisorPid: async () =>
      (await until('claimed', () => readRecord(directory, 'supervisor'))).identity.pid,
  }
  executions.push(created)
  return created
}

/** Ends everything that the executions of a test started, and removes their folders. For afterEach. */
export async function cleanUp(): Promise<void> {
  for (const { spec, directory, processes } of executions.splice(0)) {
    const supervisor = await readRecord(directory, 'supervisor').catch(() => null)
    await until('no process is left', async () => {
      const left = await processes()
      for (const pid of left) tryKill(pid)
      return left.length === 0
    })
    // What a test made up about a supervisor is not alive.
    if (supervisor && isAlive(supervisor.identity)) tryKill(supervisor.identity.pid)
    await rm(join(spec.directory, '..'), { recursive: true, force: true, maxRetries: 5 })
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended.
  }
}

function hasState<State extends ExecutionReport['state']>(
  report: ExecutionReport,
  state: State,
): report is Extract<ExecutionReport, { state: State }> {
  return report.state === state
}

const SYSTEM_PATH = '/usr/local/bin:/usr/bin:/bin'
