import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processIdentity } from '../../../src/execution/processes/identity.ts'
import { listProcesses } from '../../../src/execution/processes/table.ts'
import { readRecord, writeRecord } from '../../../src/execution/supervisor/records.ts'
import { until } from '../../support/until.ts'

/** A program that has nothing to do with any run, but a process id that one had. */
export interface Stranger {
  pid: number
  /** What reached it: signals that it caught, `stopped`, or its end. Empty as long as it is left alone. */
  harm(): Promise<string[]>
}

/** Makes strangers, and ends them. */
export interface Strangers {
  /**
   * A stranger that has the id in a record of an execution, whose own process must have ended. It really gets that
   * id where the system lets us choose (Linux, as root); elsewhere the record is changed to name its id.
   */
  takeOver(directory: string, record: 'process' | 'supervisor'): Promise<Stranger>
  /** Whether ids were really used again. */
  areReal(): boolean
  remove(): Promise<void>
}

/** The id after this one goes to the next process that is started. */
const LAST_PID = '/proc/sys/kernel/ns_last_pid'
/** Others start processes too: it may take some attempts. */
const ATTEMPTS = 500

const SIGNALS = 'HUP INT QUIT TERM CONT USR1 USR2 TSTP'

/** For scenarios in which the system uses process ids again. */
export async function createStrangers(): Promise<Strangers> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-strangers-'))
  const children: ChildProcess[] = []
  let real = true

  async function start(file: string): Promise<ChildProcess> {
    const script = `for s in ${SIGNALS}; do trap "echo $s >> '$0'" $s; done; exec 4<> <(:); echo; while :; do read -rt 0.1 -u 4; done`
    const child = spawn('bash', ['-c', script, file], { stdio: ['ignore', 'pipe', 'ignore'], detached: true })
    children.push(child)
    return child
  }

  async function startAs(pid: number, file: string): Promise<ChildProcess | null> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (!choose(pid)) return null
      const child = await start(file)
      if (child.pid === pid) return child
      child.kill('SIGKILL')
    }
    return null
  }

  return {
    async takeOver(directory, record) {
      const old = await readRecord(directory, record)
      if (!old) throw new Error(`There is no ${record} record in ${directory}`)
      const { identity } = old
      await until('the process id to be free', () => processIdentity(identity.pid) === null)
      const file = join(folder, `${identity.pid}-${identity.startTime}`)
      writeFileSync(file, '')
      let child = await startAs(identity.pid, file)
      if (!child) {
        real = false
        child = await start(file)
        const forged = { ...identity, pid: Number(child.pid) }
        if (record === 'process') {
          const process = await readRecord(directory, 'process')
          if (process) await writeRecord(directory, 'process', { ...process, identity: forged })
        } else await writeRecord(directory, 'supervisor', { ...old, identity: forged, claimedAt: Date.now() })
      }
      if (child.stdout) await once(child.stdout, 'data')
      return { pid: Number(child.pid), harm: () => harmOf(child, file) }
    },
    areReal: () => real,
    async remove() {
      for (const child of children) child.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function choose(pid: number): boolean {
  try {
    writeFileSync(LAST_PID, String(pid - 1))
    return true
  } catch {
    // Not Linux, or not allowed.
    return false
  }
}

async function harmOf(child: ChildProcess, file: string): Promise<string[]> {
  const harm = readFileSync(file, 'utf8').split('\n').slice(0, -1)
  const entry = (await listProcesses()).find(({ pid }) => pid === child.pid)
  if (!entry || entry.ended) harm.push('ended')
  else if (entry.stopped) harm.push('stopped')
  return harm
}
