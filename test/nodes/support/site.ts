import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '../../../src/client/client.ts'
import { SiteNodeListDocument } from '../../../src/generated/operations.ts'
import { type AgentProcess, agentTokenOf, createAgentProcess } from '../../agent/support/agent.ts'
import { accessTokenOf } from '../../support/access-token.ts'
import { createNetwork, type Machine, type Network } from '../../support/network-namespaces.ts'
import { type GpuFields, writeNvidiaSmi } from '../../support/nvidia-smi.ts'
import { type ServerProcess, startServerProcess } from '../../support/server-process.ts'
import { until } from '../../support/until.ts'
import { type Histories, watchHistories } from './histories.ts'

/** A server process and the machines of a network, each with an agent and an address of its own. */
export interface Site {
  network: Network
  server: ServerProcess
  histories: Histories
  /** A folder that goes away with it; all machines see it. */
  folder: string
  /** One more machine, whose agent is connected. */
  node(name: string, options?: { gpus?: GpuFields[]; maxRuns?: number }): Promise<SiteNode>
  /** Gives a node whose agent has ended a new token, and starts it. */
  renew(node: SiteNode): Promise<void>
  /** One more machine without an agent. */
  machine(name: string): Machine
  /** How a node stands now. */
  statusOf(name: string): Promise<string | undefined>
  /** Waits until a node stands so. */
  reaches(name: string, status: string): Promise<void>
  /** Plugs all cables in, and ends everything. */
  end(): Promise<void>
}

/** A machine with an agent. */
export interface SiteNode {
  id: string
  machine: Machine
  agent: AgentProcess
  /** The token that its agent has. */
  token: { id: string; token: string }
}

/** How soon a node that is not heard of is OFFLINE, in seconds. */
const NODE_LEASE_SECONDS = 2
/** How soon what runs on it is given up: after more than a cable that is pulled for 5 s may take to be forgotten. */
const RUN_LEASE_SECONDS = 15

/** Starts a server on a network of its own. */
export async function startSite(): Promise<Site> {
  const network = createNetwork()
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-site-'))
  const nodes: SiteNode[] = []
  const server = await startServerProcess({
    HOST: network.address,
    PORT: '4000',
    // Only on loopback is that a matter of course.
    TRAINYARD_FREE_COMMANDS: 'true',
    // To read the logs of trainings again and again costs.
    TRAINYARD_RATE_LIMIT_POINTS: '0',
    TRAINYARD_NODE_LEASE_SECONDS: String(NODE_LEASE_SECONDS),
    TRAINYARD_RUN_LEASE_SECONDS: String(RUN_LEASE_SECONDS),
  })
  const watcher = createClient(server.url, { reconnect: { firstMs: 50, longestMs: 250 } })
  watcher.useToken(await accessTokenOf(server.url))
  const histories = watchHistories(watcher)

  async function listNodes() {
    const { computeNodes } = await server.api.send(SiteNodeListDocument)
    return computeNodes.edges.map(({ node }) => node)
  }
  const find = async (name: string) => (await listNodes()).find((node) => node.name === name)
  const statusOf = async (name: string) => (await find(name))?.status

  return {
    network,
    server,
    histories,
    folder,
    async node(name, { gpus = [], maxRuns = 3 } = {}) {
      const machine = network.machine(name)
      const token = await agentTokenOf(server.api)
      const programs = join(folder, name)
      await mkdir(programs)
      await writeNvidiaSmi(programs, gpus)
      const agent = await createAgentProcess({
        server: server.url,
        token: token.token,
        name,
        args: ['--max-runs', String(maxRuns)],
        environment: { PATH: `${programs}:${process.env.PATH}` },
        spawn: machine.spawn,
      })
      await agent.start()
      const { id } = await until('the node', () => find(name))
      const node = { id, machine, agent, token }
      nodes.push(node)
      return node
    },
    async renew(node) {
      node.token = await agentTokenOf(server.api)
      await node.agent.start({ token: node.token.token })
    },
    machine: (name) => network.machine(name),
    statusOf,
    reaches: async (name, status) =>
      void (await until(`${name} to be ${status}`, async () => (await statusOf(name)) === status)),
    async end() {
      try {
        for (const { machine } of nodes) machine.plugIn()
        await histories.stop()
        await watcher.close()
        await server.dispose()
      } finally {
        for (const { agent } of nodes) await agent.dispose()
        await network.end()
        await rm(folder, { recursive: true, force: true })
      }
    },
  }
}
