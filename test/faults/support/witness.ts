import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isErrno } from '../../../src/storage/errno.ts'

/** What a run wrote down about itself. Times are milliseconds since 1970. */
export interface Evidence {
  /** One for each time that its command was started. */
  starts: { pid: number; at: number }[]
  /** When it got SIGTERM; null when it did not. */
  term: number | null
  end: { exitCode: number; lines: number; at: number } | null
}

/** A folder in which runs leave their evidence. */
export interface Witnesses {
  /** What a project's command has to be. */
  command: string[]
  /** What a run's `model` has to be, for it to end with this code; after this time, unless it is released before. */
  plan(exitCode: number, milliseconds?: number): string
  /** Lets a run end. */
  release(runId: string): Promise<void>
  evidenceOf(runId: string): Promise<Evidence>
  remove(): Promise<void>
}

/** Longer than any scenario takes: such a run ends when it is released, or asked to. */
const UNTIL_RELEASED = 3_600_000

/** Where the commands of a scenario's runs keep their own account of what happened to them. */
export async function createWitnesses(): Promise<Witnesses> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-witness-'))
  const script = join(import.meta.dirname, 'witness.sh')
  return {
    command: ['bash', script, folder, '{run}', '{model}'],
    plan: (exitCode, milliseconds = UNTIL_RELEASED) => `${exitCode} ${milliseconds}`,
    release: (runId) => writeFile(join(folder, `${runId}.go`), ''),
    evidenceOf: async (runId) => parse(await readIfAny(join(folder, runId))),
    remove: () => rm(folder, { recursive: true, force: true }),
  }
}

async function readIfAny(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return ''
    throw error
  }
}

function parse(text: string): Evidence {
  const evidence: Evidence = { starts: [], term: null, end: null }
  for (const line of text.split('\n').slice(0, -1)) {
    const [what, ...numbers] = line.split(' ')
    const [first = 0, second = 0] = numbers.map(Number)
    const at = Number(numbers.at(-1)) * 1000
    if (what === 'start') evidence.starts.push({ pid: first, at })
    else if (what === 'term') evidence.term = at
    else if (what === 'end') evidence.end = { exitCode: first, lines: second, at }
    else throw new Error(`A run wrote something else than evidence: ${line}`)
  }
  return evidence
}
