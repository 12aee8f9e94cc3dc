import { readdirSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RUN_MARKER } from '../../../src/domains/runs/worker/launch.ts'
import { isAlive, type ProcessIdentity, processIdentity } from '../../../src/execution/processes/identity.ts'
import { readProcFile } from '../../../src/execution/processes/table.ts'

/** Trees of processes that are hard to end: half of them ignore SIGTERM, half have left their session. */
export const TREES = [
  'ignores',
  'session',
  'ignores-stopped',
  'session-ignores',
  'ignores-clean-child',
  'session-stopped',
  'ignores-forking',
  'session-clean',
  'ignores-chain',
  'session-chain',
] as const

/** Runs that are trees of processes, and what is left of them. */
export interface Trees {
  /** What a project's command has to be; a run's `model` is the kind of its tree. */
  command: string[]
  /** The processes that a run's tree has said to have. */
  membersOf(runId: string): Promise<ProcessIdentity[]>
  remove(): Promise<void>
}

/** Where the processes of a scenario's trees write down their ids. */
export async function createTrees(): Promise<Trees> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-trees-'))
  return {
    command: ['bash', '-c', 'exec bash "$0" "$1" "$2/$3"', script, '{model}', folder, '{run}'],
    async membersOf(runId) {
      const ids = (await readFile(join(folder, runId), 'utf8')).trim().split('\n').map(Number)
      return ids.map(processIdentity).filter((identity) => identity !== null)
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

const script = join(import.meta.dirname, 'tree.sh')

/** Which processes carry the marker of a run, by the id of the run. Looked up here, not by what is being tested. */
export function markedProcesses(): Map<string, number[]> {
  const marked = new Map<string, number[]>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const environment = readProcFile(`/proc/${name}/environ`)?.toString() ?? ''
    const runId = environment
      .split('\0')
      .find((variable) => variable.startsWith(`${RUN_MARKER}=`))
      ?.slice(RUN_MARKER.length + 1)
    if (runId) marked.set(runId, [...(marked.get(runId) ?? []), Number(name)])
  }
  return marked
}

/** The processes of these that are alive. */
export const survivors = (members: ProcessIdentity[]) => members.filter(isAlive).map(({ pid }) => pid)
