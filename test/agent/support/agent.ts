import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { AccountCreateApiTokenDocument } from '../../../src/generated/operations.ts'
import type { ApiClient } from '../../support/client.ts'
import { until } from '../../support/until.ts'

const MAIN = join(import.meta.dirname, '../../../src/agent/main.ts')

let made = 0

/** A token for one agent, made by whoever is signed in. */
export async function agentTokenOf(api: ApiClient): Promise<{ id: string; token: string }> {
  const input = { name: `agent ${++made}`, scopes: ['AGENT' as const] }
  const { createApiToken } = await api.send(AccountCreateApiTokenDocument, { input })
  if (createApiToken.__typename !== 'ApiToken' || !createApiToken.token) {
    throw new Error(JSON.stringify(createApiToken))
  }
  return { id: createApiToken.id, token: createApiToken.token }
}

/** An agent in a process of its own, which can be killed and started again on the same folder. */
export interface AgentProcess {
  dataDir: string
  /** What it has said to stdout and stderr, of all its lives. */
  said: string[]
  /** What it says of one of its lives when it is connected. */
  start(options?: AgentStart): Promise<void>
  /** Starts it without waiting for anything. @returns its exit code, when it has ended */
  run(options?: AgentStart): Promise<number | null>
  /** Resolves with the exit code when it ends by itself. */
  ended(): Promise<number | null>
  pid(): number
  /** Whether its process is there. */
  runs(): boolean
  /** Resolves with the exit code (null when the signal ended it) once it is gone. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
  /** The folders of the executions that it has. */
  executions(): Promise<string[]>
  /** Ends the process and removes its folder. */
  dispose(): Promise<void>
}

/** What an agent is started with, where it differs from the time before. */
export interface AgentStart {
  server?: string
  token?: string
  args?: string[]
  environment?: Record<string, string>
}

/** How programs are started on the machine that an agent speaks for. */
export type SpawnThere = (argv: string[], options: SpawnOptions) => ChildProcess

const spawnHere: SpawnThere = ([program = '', ...args], options) => spawn(program, args, options)

/** An agent that does not run yet. It is to run on this machine unless given. */
export async function createAgentProcess(
  settings: { server: string; token: string; name: string } & Pick<AgentStart, 'args' | 'environment'> & {
      dataDir?: string
      spawn?: SpawnThere
    },
): Promise<AgentProcess> {
  const dataDir = settings.dataDir ?? (await mkdtemp(join(tmpdir(), 'trainyard-agent-')))
  let { server, token, args = [], environment = {} } = settings
  let child: ChildProcess | null = null
  const said: string[] = []

  function launch(options: AgentStart): ChildProcess {
    ;({ server = server, token = token, args = args, environment = environment } = options)
    child = (settings.spawn ?? spawnHere)(
      [
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        MAIN,
        ...['--server', server, '--name', settings.name, '--data', dataDir, ...args],
      ],
      {
        env: {
          PATH: process.env.PATH,
          TRAINYARD_AGENT_TOKEN: token,
          LOG_LEVEL: process.env.TEST_LOG ?? 'info',
          ...environment,
        },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    )
    for (const stream of [child.stdout, child.stderr]) {
      if (!stream) continue
      createInterface({ input: stream }).on('line', (line) => {
        said.push(line)
        if (process.env.TEST_LOG) process.stderr.write(`${line}\n`)
      })
    }
    return child
  }

  const agent: AgentProcess = {
    dataDir,
    said,
    async start(options = {}) {
      const before = said.length
      const running = launch(options)
      await until('the agent to be connected', () => {
        if (running.exitCode !== null) throw new Error(`The agent ended: ${said.slice(before).join('\n')}`)
        return said.slice(before).some((line) => line.startsWith('Connected to '))
      })
    },
    async run(options = {}) {
      const [exitCode] = await once(launch(options), 'close')
      child = null
      return exitCode
    },
    async ended() {
      if (!child) throw new Error('The agent does not run.')
      const [exitCode] = await once(child, 'close')
      child = null
      return exitCode
    },
    pid() {
      if (child?.pid === undefined) throw new Error('The agent does not run.')
      return child.pid
    },
    runs: () => child !== null && child.exitCode === null && child.signalCode === null,
    async kill(signal) {
      if (!child) throw new Error('The agent does not run.')
      const gone = once(child, 'exit')
      child.kill(signal)
      const [exitCode] = await gone
      child = null
      return exitCode
    },
    executions: () => readdir(join(dataDir, 'executions')),
    async dispose() {
      if (agent.runs()) await agent.kill('SIGKILL')
      await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return agent
}
