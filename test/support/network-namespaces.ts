import {
  type ChildProcess,
  type ExecFileOptions,
  execFile,
  execFileSync,
  type SpawnOptions,
  spawn,
} from 'node:child_process'
import { promisify } from 'node:util'
import { until } from './until.ts'

/**
 * A network of machines on this machine: each is a network namespace with an address of its own and a cable to a
 * switch (a bridge), which this process reaches too. None of them has a way to anywhere else.
 */
export interface Network {
  /** The address of this process on the network: what a server for the machines has to listen on. */
  address: string
  /** Connects one more machine; its name is for messages. */
  machine(name: string): Machine
  /** Ends all that runs on the machines, and removes everything. */
  end(): Promise<void>
}

/** A machine of a network: programs on it see the same files as all others, but another network. */
export interface Machine {
  name: string
  address: string
  /** Starts a program; it ends with the machine at the latest, with all that it started. */
  spawn(argv: string[], options?: SpawnOptions): ChildProcess
  /** What a program prints, once it has ended. @throws when its exit code is not 0 */
  run(argv: string[], options?: ExecFileOptions): Promise<string>
  /** Pulls the cable: from now on nothing arrives, and nobody is told. */
  unplug(): void
  plugIn(): void
  /** Pulls the plug: kills all that runs on it, and removes it. */
  end(): Promise<void>
}

/** The networks of tests are 10.213.0.0/24, 10.213.1.0/24 and so on. */
const RANGE = '10.213'
/** What is sent to a network that is gone must not leave this machine. */
const BARRIER = ['unreachable', `${RANGE}.0.0/16`]
/** Of bridges (b), cables (v) and namespaces (n), with the id of the process that they are of. */
const NAME = /^tytest(\d+)[bvn]\d+$/
const RUN_MS = 30_000

let made = 0
const nextName = (kind: 'b' | 'v' | 'n') => `tytest${process.pid}${kind}${++made}`

let reason: string | null | undefined

/** Why there can be no network here, for the message of a skipped test; null if there can be one. */
export function whyNoNetwork(): string | null {
  reason ??= tryOut()
  return reason
}

/** Makes a network without machines. Removes what processes left behind that were killed before they could. */
export function createNetwork(): Network {
  sweep()
  ip('route', 'replace', ...BARRIER)
  const { bridge, subnet } = claimSubnet()
  const macOfBridge = macOf(bridge)
  const machines = new Set<Machine>()
  let connected = 0

  // What a failing test leaves goes with its process.
  const removeNow = () => removeAll(process.pid)
  process.on('exit', removeNow)

  return {
    address: `${subnet}.1`,
    machine(name) {
      const address = `${subnet}.${++connected + 1}`
      const namespace = nextName('n')
      const cable = nextName('v')
      ip('netns', 'add', namespace)
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
      ip('link', 'set', cable, 'master', bridge, 'up')
      const inside = (...args: string[]) => ip('-n', namespace, ...args)
      inside('link', 'set', 'lo', 'up')
      inside('address', 'add', `${address}/24`, 'dev', 'eth0')
      inside('link', 'set', 'eth0', 'up')
      // Fixed, because the other side of a cable that is pulled somewhere on the way is silent, not unreachable.
      fixNeighbour(inside, `${subnet}.1`, macOfBridge, 'eth0')
      fixNeighbour(ip, address, macOf('eth0', namespace), bridge)

      const machine: Machine = {
        name,
        address,
        spawn: (argv, options = {}) => spawn('ip', ['netns', 'exec', namespace, ...argv], options),
        async run(argv, options) {
          const { stdout } = await promisify(execFile)('ip', ['netns', 'exec', namespace, ...argv], {
            timeout: RUN_MS,
            ...options,
          })
          return String(stdout)
        },
        unplug: () => ip('link', 'set', cable, 'down'),
        plugIn: () => ip('link', 'set', cable, 'up'),
        async end() {
          if (!machines.delete(machine)) return
          await until(`all on ${name} to end`, () => killAll(namespace) === 0)
          ip('neighbour', 'del', address, 'dev', bridge)
          remove(namespace)
          remove(cable)
        },
      }
      machines.add(machine)
      return machine
    },
    async end() {
      for (const machine of machines) await machine.end()
      remove(bridge)
      removeBarrier()
      process.off('exit', removeNow)
    },
  }
}

/** Makes a bridge with an address in a subnet that nobody uses, nor another test at the same time. */
function claimSubnet(): { bridge: string; subnet: string } {
  for (let tries = 0; tries < 100; tries++) {
    const subnet = `${RANGE}.${Math.floor(Math.random() * 256)}`
    if (routesTo(subnet) > 0) continue
    const bridge = nextName('b')
    ip('link', 'add', bridge, 'type', 'bridge')
    ip('address', 'add', `${subnet}.1/24`, 'dev', bridge)
    ip('link', 'set', bridge, 'up')
    // Its own hardware address, not that of whichever cable is plugged in: the machines know it by heart.
    ip('link', 'set', bridge, 'address', macOf(bridge))
    if (routesTo(subnet) === 1) return { bridge, subnet }
    remove(bridge)
  }
  throw new Error(`There is no free network in ${RANGE}.0.0/16.`)
}

const routesTo = (subnet: string) =>
  ip('route', 'show')
    .split('\n')
    .filter((route) => route.startsWith(`${subnet}.`)).length

function fixNeighbour(
  command: (...args: string[]) => string,
  address: string,
  mac: string,
  device: string,
): void {
  command('neighbour', 'replace', address, 'lladdr', mac, 'dev', device, 'nud', 'permanent')
}

function macOf(device: string, namespace?: string): string {
  const line = ip(...(namespace ? ['-n', namespace] : []), '-o', 'link', 'show', 'dev', device)
  const mac = /link\/ether ([\da-f:]+)/.exec(line)?.[1]
  if (mac === undefined) throw new Error(`${device} has no hardware address: ${line}`)
  return mac
}

/** Kills all that runs in a namespace. @returns how much that was */
function killAll(namespace: string): number {
  const pids = ip('netns', 'pids', namespace).split('\n').filter(Boolean).map(Number)
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It was faster.
    }
  }
  return pids.length
}

/** Removes what processes left behind that are gone. */
function sweep(): void {
  const owners = new Set(present().map(({ pid }) => pid))
  for (const pid of owners) if (!isThere(pid)) removeAll(pid)
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Removes at once all that is of a process, and kills what runs on its machines. */
function removeAll(pid: number): void {
  for (const { name, pid: owner } of present()) {
    if (owner !== pid) continue
    if (isNamespace(name)) killAll(name)
    remove(name)
  }
  removeBarrier()
}

function removeBarrier(): void {
  if (present().length > 0 || !ip('route', 'show').includes(BARRIER.join(' '))) return
  try {
    ip('route', 'delete', ...BARRIER)
  } catch {
    // Another test that ended at the same time was faster.
  }
}

/** The namespaces, cables and bridges of tests. */
function present(): { name: string; pid: number }[] {
  const namespaces = ip('netns', 'list').split('\n')
  const links = ip('-o', 'link', 'show').split('\n')
  const names = [...namespaces, ...links.map((line) => line.split(/: |@/)[1] ?? '')]
  return names.flatMap((line) => {
    const [name = ''] = line.split(' ')
    const pid = NAME.exec(name)?.[1]
    return pid === undefined ? [] : [{ name, pid: Number(pid) }]
  })
}

const isNamespace = (name: string) => /n\d+$/.test(name)

/** Removes a namespace, a cable or a bridge, which may be gone already: cables go with their namespaces. */
function remove(name: string): void {
  try {
    if (isNamespace(name)) ip('netns', 'delete', name)
    else ip('link', 'delete', name)
  } catch (error) {
    if (present().some((other) => other.name === name)) throw error
  }
}

function tryOut(): string | null {
  if (process.platform !== 'linux') return 'network namespaces are of Linux'
  if (process.getuid?.() !== 0) return 'only root may make network namespaces'
  const namespace = nextName('n')
  const cable = nextName('v')
  const bridge = nextName('b')
  try {
    ip('-Version')
  } catch {
    return "the program ip is missing (Debian's package iproute2)"
  }
  try {
    ip('netns', 'add', namespace)
    ip('netns', 'exec', namespace, 'true')
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
    ip('link', 'add', bridge, 'type', 'bridge')
    return null
  } catch (error) {
    return `network namespaces are not permitted here: ${error instanceof Error ? error.message.trim() : error}`
  } finally {
    for (const name of [bridge, cable, namespace]) remove(name)
  }
}

function ip(...args: string[]): string {
  return execFileSync('ip', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: RUN_MS })
}
