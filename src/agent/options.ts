import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { ComputeNodeType, LabelInput } from '../generated/operations.ts'
import { MACHINE_LABELS } from '../machine/labels.ts'
import { AgentError } from './errors.ts'

/** What an agent is started with. */
export interface AgentOptions {
  /** Where the server is, without a slash at the end. */
  server: string
  token: string
  /** The folder that everything is kept under. */
  dataDir: string
  /** Where commands start that do not say where. */
  workingDir: string
  node: NodeWishes
}

/** What the operator says of the machine; the server knows, or has a default for, what is not there. */
export interface NodeWishes {
  name: string
  type?: ComputeNodeType
  location?: string
  address?: string
  labels: LabelInput[]
  maxRuns?: number
}

const TYPES: ComputeNodeType[] = ['SERVER', 'EDGE', 'GATEWAY', 'PEER']

export const HELP = `npm run agent -- --server URL --token-file FILE

Makes this machine a compute node of a Trainyard server. It calls the server, never the other way round.

  --server URL        where the server is, such as https://trainyard.example.org
  --token-file FILE   a file with an API token of scope AGENT; or set TRAINYARD_AGENT_TOKEN
  --token TOKEN       the token itself: everybody on this machine sees it in the list of processes
  --name NAME         what the node is called, at its first registration (the name of the machine)
  --type TYPE         what it is there for: SERVER, EDGE, GATEWAY or PEER
  --location TEXT     where it is, in words
  --label NAME=VALUE  what is said of it, for runs to ask for; may be repeated
  --max-runs N        how many runs may have a process on it at a time (1)
  --address HOST      where what it serves is reached (the address that it calls from)
  --data DIR          where it keeps its files (./agent-data)
  --working-dir DIR   where commands start that do not say where (the present folder)

Trainings go on when the agent is stopped, or dies, and are taken up when it is started again with the same --data.
Commands get what the server gives them and, of this environment, what programs need to work; TRAINYARD_RUN_ENV
names more (a comma between them). The log goes to stderr; LOG_LEVEL sets how much.`

/**
 * Reads the command line.
 *
 * @param environment where the token may be
 * @returns null when only help is wanted
 * @throws AgentError
 */
export async function readOptions(
  args: string[],
  environment: NodeJS.ProcessEnv,
): Promise<AgentOptions | null> {
  const given = parse(args)
  if (given.help) return null
  if (given.server === undefined) throw new AgentError('--server is missing: where is the server?')
  return {
    server: readServer(given.server),
    token: await readToken(given, environment),
    dataDir: resolve(given.data ?? 'agent-data'),
    workingDir: resolve(given['working-dir'] ?? '.'),
    node: {
      name: given.name ?? hostname(),
      labels: withMachineLabels((given.label ?? []).map(readLabel)),
      ...(given.type !== undefined && { type: readType(given.type) }),
      ...(given.location !== undefined && { location: given.location }),
      ...(given.address !== undefined && { address: given.address }),
      ...(given['max-runs'] !== undefined && { maxRuns: readCount(given['max-runs']) }),
    },
  }
}

/** What was said on the command line stands above what the machine says of itself. */
function withMachineLabels(given: LabelInput[]): LabelInput[] {
  const named = new Set(given.map(({ name }) => name))
  return [...MACHINE_LABELS.filter(({ name }) => !named.has(name)), ...given]
}

function parse(args: string[]) {
  const text = { type: 'string' } as const
  try {
    return parseArgs({
      args,
      options: {
        server: text,
        token: text,
        'token-file': text,
        name: text,
        type: text,
        location: text,
        label: { type: 'string', multiple: true },
        'max-runs': text,
        address: text,
        data: text,
        'working-dir': text,
        help: { type: 'boolean', short: 'h' },
      },
    }).values
  } catch (error) {
    // Only the first sentence: parseArgs goes on about what one may have meant.
    const reason = error instanceof Error ? error.message.split('. ', 1)[0] : String(error)
    throw new AgentError(`${reason}. npm run agent -- --help tells what there is.`, { cause: error })
  }
}

function readServer(text: string): string {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new AgentError(
      `--server must be an address such as https://trainyard.example.org, not ${JSON.stringify(text)}.`,
    )
  }
  return (url.origin + url.pathname).replace(/\/(graphql\/?)?$/, '')
}

async function readToken(
  given: { token?: string; 'token-file'?: string },
  environment: NodeJS.ProcessEnv,
): Promise<string> {
  const { 'token-file': file } = given
  const token =
    file === undefined ? (given.token ?? environment.TRAINYARD_AGENT_TOKEN) : await contentOf(file)
  if (token?.trim()) return token.trim()
  throw new AgentError(
    file === undefined
      ? 'The token is missing: --token-file FILE or TRAINYARD_AGENT_TOKEN, an API token of scope AGENT.'
      : `There is no token in ${file}.`,
  )
}

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AgentError(`The token cannot be read: ${reason}.`, { cause: error })
  }
}

function readLabel(text: string): LabelInput {
  const [name = '', ...rest] = text.split('=')
  if (name !== '' && rest.length > 0) return { name, value: rest.join('=') }
  throw new AgentError(`--label must be NAME=VALUE, not ${JSON.stringify(text)}.`)
}

function readType(text: string): ComputeNodeType {
  const type = TYPES.find((known) => known === text.toUpperCase())
  if (type) return type
  throw new AgentError(`--type must be one of ${TYPES.join(', ')}, not ${JSON.stringify(text)}.`)
}

function readCount(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text)
  throw new AgentError(`--max-runs must be a whole number, not ${JSON.stringify(text)}.`)
}
