import { once } from 'node:events'
import { join } from 'node:path'
import { pino } from 'pino'
import { createAgent } from '../../src/agent/agent.ts'
import { openAgentFolder } from '../../src/agent/folder.ts'
import { inheritedEnvironment } from '../../src/execution/inherited-environment.ts'
import { createLocalExecutor } from '../../src/execution/local/local-executor.ts'
import { readHardware } from '../../src/machine/hardware.ts'
import { createSampler } from '../../src/machine/sampler.ts'
import { watchRoom } from '../../src/storage/room.ts'

/** The agents of a process. */
export interface AgentsOrder {
  /** Where the server is. */
  server: string
  /** What each is called, and the token that it has. */
  agents: { name: string; token: string }[]
  /** A folder for the folders of all. */
  folder: string
}

/** How many register at a time. */
const AT_A_TIME = 10

// What `npm run agent` runs, many times in one process: they share what measures the machine, which is the same for all.
const [order]: [AgentsOrder] = await nextOrder()
const log = pino({ level: 'warn' }, pino.destination({ fd: 2, sync: true }))
const environment = inheritedEnvironment(process.env, [])
const hardware = await readHardware(environment)
const shared = {
  server: order.server,
  sampler: createSampler({ environment, folder: order.folder }),
  executor: createLocalExecutor({ environment, workingDir: order.folder }),
  room: watchRoom({ folder: order.folder, log }),
  readHardware: async () => hardware,
  log,
}

async function nextOrder(): Promise<[AgentsOrder]> {
  const [message] = await once(process, 'message')
  return [message]
}

async function start({ name, token }: AgentsOrder['agents'][number]): Promise<void> {
  const folder = await openAgentFolder(join(order.folder, name))
  const agent = createAgent({ ...shared, token, node: { name, labels: [] }, folder })
  await agent.start()
  void agent.ended.then((error) => {
    throw error ?? new Error(`The agent ${name} ended.`)
  })
}

for (let started = 0; started < order.agents.length; started += AT_A_TIME) {
  await Promise.all(order.agents.slice(started, started + AT_A_TIME).map(start))
}
process.send?.('ready')
