import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { accessTokenOf } from '../support/access-token.ts'
import { createNetwork, type Machine, type Network } from '../support/network-namespaces.ts'
import { isRunning } from '../support/processes.ts'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { impossible, needNetwork } from './support/no-network.ts'

const WATCHER = join(import.meta.dirname, 'support/watcher.ts')
/** Prints a number every 20 ms for as long as it is left alone. */
const COUNTER = 'let n = 0; setInterval(() => console.log("line", n++), 20)'

let network: Network
let server: ServerProcess
let given: ReturnType<typeof seed>
let token: string
beforeAll(async () => {
  if (impossible !== null) return
  network = createNetwork()
  server = await startServerProcess({
    HOST: network.address,
    PORT: '4000',
    // Only on loopback is that a matter of course.
    TRAINYARD_FREE_COMMANDS: 'true',
  })
  given = seed(server.api)
  token = await accessTokenOf(server.url)
})
afterAll(async () => {
  if (impossible !== null) return
  try {
    await server?.dispose()
  } finally {
    await network?.end()
  }
})

/** Has a machine follow the log of a run. */
function startWatcher(machine: Machine, runId: string) {
  const argv = [process.execPath, '--disable-warning=ExperimentalWarning', WATCHER, server.url, token, runId]
  const child = machine.spawn(argv, { stdio: ['pipe', 'pipe', 'inherit'] })
  const heard: string[] = []
  const answers: string[] = []
  if (!child.stdin || !child.stdout) throw new Error('It has no standard input or output.')
  const stdin = child.stdin
  createInterface(child.stdout).on('line', (line) => {
    const said: { heard?: string[]; asked?: string } = JSON.parse(line)
    heard.push(...(said.heard ?? []))
    if (said.asked !== undefined) answers.push(said.asked)
  })
  /** What became of a request. */
  async function ask(): Promise<string | undefined> {
    const before = answers.length
    stdin.write('\n')
    await until('an answer, or none', () => answers.length > before)
    return answers.at(-1)
  }
  return {
    heard,
    ask,
    /** Waits until a request is answered. */
    answered: () => until('an answer', async () => (await ask()) === 'answered'),
    async kill() {
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
  }
}

const hasMore = (heard: string[]) => {
  const before = heard.length
  return until('more lines', () => heard.length > before + 10)
}

test('machines follow a run whose server they reach; one whose cable is pulled hears nothing, and then all of it', async (context) => {
  needNetwork(context)
  const near = network.machine('near')
  const far = network.machine('far')
  const runId = await given.run({ project: await given.project({ script: COUNTER }) })
  const stays = startWatcher(near, runId)
  const leaves = startWatcher(far, runId)
  await hasMore(stays.heard)
  await hasMore(leaves.heard)
  await stays.answered()
  await leaves.answered()

  for (const isLong of [false, true]) {
    far.unplug()
    expect(await leaves.ask()).toBe('ConnectionError')
    const known = leaves.heard.length
    if (isLong) {
      // Long enough for both sides to give up the connection, more than once.
      for (let n = 0; n < 3; n++) expect(await leaves.ask()).toBe('ConnectionError')
    }
    await hasMore(stays.heard)
    await stays.answered()
    expect(leaves.heard).toHaveLength(known)

    far.plugIn()
    await hasMore(leaves.heard)
    await leaves.answered()
  }

  await server.kill('SIGKILL')
  expect(await stays.ask()).toBe('ConnectionError')
  await server.start()
  await hasMore(stays.heard)
  await hasMore(leaves.heard)
  await given.cancel(runId, 0)
  await given.end(runId)
  const printed = (await given.log(runId))
    .filter(({ source }) => source === 'STDOUT')
    .map(({ message }) => message)
  for (const { heard } of [stays, leaves]) {
    await until('the end', () => heard.length >= printed.length)
    expect(heard).toEqual(printed)
  }
  expect(printed.slice(0, 3)).toEqual(['line 0', 'line 1', 'line 2'])
  await stays.kill()
  await leaves.kill()
})

test('a machine has its own loopback and no way out; the end of a machine is that of all on it', async (context) => {
  needNetwork(context)
  const machine = network.machine('lonely')
  expect((await machine.run(['hostname', '-I'])).trim().split(' ')[0]).toBe(machine.address)
  expect(await machine.run(['ip', 'route', 'show', 'default'])).toBe('')
  await expect(machine.run(['false'])).rejects.toMatchObject({ code: 1 })
  const orphan = await machine.run(['bash', '-c', 'setsid sleep 3600 >/dev/null 2>&1 </dev/null & echo $!'])
  const pid = Number(orphan)
  expect(isRunning(pid)).toBe(true)

  await machine.end()

  expect(isRunning(pid)).toBe(false)
})
