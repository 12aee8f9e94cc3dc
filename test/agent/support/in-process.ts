import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type Agent, createAgent } from '../../../src/agent/agent.ts'
import { openAgentFolder } from '../../../src/agent/folder.ts'
import { inheritedEnvironment } from '../../../src/execution/inherited-environment.ts'
import { createLocalExecutor } from '../../../src/execution/local/local-executor.ts'
import { readHardware } from '../../../src/machine/hardware.ts'
import { createSampler } from '../../../src/machine/sampler.ts'

/** An agent in the process of the test. */
export interface AgentInProcess extends Pick<Agent, 'ended'> {
  nodeId: string
  dataDir: string
  /** Ends it and removes its folder. */
  dispose(): Promise<void>
}

/** Starts the agent's own code here, with what it needs of this machine. */
export async function startAgent(settings: {
  server: string
  token: string
  name: string
  maxRuns?: number
}): Promise<AgentInProcess> {
  const { server, token, ...node } = settings
  const dataDir = await mkdtemp(join(tmpdir(), 'trainyard-agent-'))
  const folder = await openAgentFolder(dataDir)
  const environment = inheritedEnvironment(process.env, [])
  const agent = createAgent({
    server,
    token,
    node: { ...node, labels: [] },
    folder,
    executor: createLocalExecutor({ environment }),
    sampler: createSampler({ environment, folder: dataDir }),
    readHardware: () => readHardware(environment),
    room: { findCut: async () => null },
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
  })
  const { id } = await agent.start()
  return {
    nodeId: id,
    dataDir,
    ended: agent.ended,
    async dispose() {
      await agent.stop()
      await folder.close()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
