// A tour of Trainyard in the terminal, through the public API alone:
//
//   npm run demo            leaves its server running, to look around in, until Ctrl-C
//   npm run demo -- --exit  stops it
//
// Uses the server at HOST and PORT if there is one; it then needs TRAINYARD_ADMIN_PASSWORD.
// Exit codes: 0 all went well; 1 something failed; 130 stopped by Ctrl-C on the way.
import { randomBytes } from 'node:crypto'
import { relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type ApiClient, createClient } from '../client/client.ts'
import { ConfigError, readConfig } from '../config.ts'
import { DemoError } from './errors.ts'
import { InterruptedError, listenForSignals } from './interruption.ts'
import { formatTime } from './progress.ts'
import { overviewQuery, showOutcome } from './report.ts'
import { playScenario } from './scenario.ts'
import { type DemoServer, findOrStartServer } from './server.ts'
import { createTerminal } from './terminal.ts'

const USERNAME = 'admin'
/** A server that dies takes its connections with it; its own reason, which comes a little later, says more. */
const SERVER_END_MS = 1000

const terminal = createTerminal(process.stdout)
const { paint, say } = terminal
const { signal, interrupt } = listenForSignals(() => say(paint('quiet', 'Stopping…')))
/** What has to be closed in the end. */
const open: { server?: DemoServer; api?: ApiClient } = {}

// Whoever read the output is gone (`| head`): tidy up all the same.
process.stdout.on('error', () => interrupt(new InterruptedError('Nobody reads the output.', 1)))
process.on('exit', () => open.server?.kill())

try {
  await demo()
} catch (error) {
  process.exitCode = await explain(error)
} finally {
  await open.api?.close()
  await open.server?.stop()
  terminal.close()
}

async function demo(): Promise<void> {
  const start = Date.now()
  const { values: options } = parseArgs({ options: { exit: { type: 'boolean', default: false } } })
  const config = readConfig(process.env)
  const password = config.adminPassword ?? randomBytes(12).toString('base64url')

  say(`${paint('title', 'Trainyard')}: train a small language model to add\n`)
  const server = await findOrStartServer(config, password, signal)
  open.server = server
  const { url, version, isOwn } = server
  const folder = relative('', config.dataDir)
  const origin = isOwn
    ? `started, its data in ${folder.startsWith('..') ? config.dataDir : folder}`
    : 'was already running'
  say(`${paint('good', '✔')} ${'Server'.padEnd(10)}Trainyard ${version} at ${url}, ${origin}`)
  const api = await signIn(url, isOwn || config.adminPassword !== undefined ? password : null)
  open.api = api

  const outcome = await playScenario(api, { terminal, signal, suffix: timeSuffix(new Date()) })
  showOutcome(terminal, outcome)
  say(`\n${paint('strong', 'Look around')}  ${paint('first', `${url}/graphql`)}`)
  say(`  Sign in at the top right as ${USERNAME} with the password ${paint('strong', password)} and run:\n`)
  for (const line of overviewQuery(outcome.project).split('\n')) say(`    ${line}`)
  say(`\n${paint('good', '✔')} Done in ${formatTime(Date.now() - start)}.`)

  if (!isOwn) return
  if (options.exit) return say('The server stops now; `npm start` brings it back with all of this in it.')
  say('The server stays up to look around in; Ctrl-C stops it.')
  await stayUp(server)
}

/** A client that speaks for the administrator. */
async function signIn(url: string, password: string | null): Promise<ApiClient> {
  const advice =
    'Set TRAINYARD_ADMIN_PASSWORD to the password of its administrator; or set PORT and TRAINYARD_DATA_DIR to others, and the demo starts a server of its own.'
  if (password === null) throw new DemoError(`The running server asks for a password. ${advice}`)
  const client = createClient(url)
  try {
    await client.signIn(USERNAME, password)
  } catch (error) {
    throw new DemoError(`${error instanceof Error ? error.message : error}\n${advice}`)
  }
  say(`${paint('good', '✔')} ${'Signed in'.padEnd(10)}as ${USERNAME}`)
  return client
}

/** Waits for Ctrl-C. @throws DemoError when the server ends before that */
async function stayUp({ ended }: DemoServer): Promise<void> {
  const interrupted = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null))
  })
  const error = await Promise.race([ended, interrupted])
  if (error) throw error
}

/** Says why the demo ends early, to the person at the terminal. @returns the exit code */
async function explain(error: unknown): Promise<number> {
  terminal.status(null)
  const ended = open.server?.ended ?? error
  const reason: unknown = signal.aborted
    ? signal.reason
    : await Promise.race([ended, sleep(SERVER_END_MS, error)])
  const isExpected = [DemoError, ConfigError, InterruptedError].some((type) => reason instanceof type)
  const isUsage = reason instanceof TypeError && 'code' in reason
  const text = reason instanceof Error ? (isExpected || isUsage ? reason.message : reason.stack) : reason
  process.stderr.write(`${text}\n`)
  return reason instanceof InterruptedError ? reason.exitCode : 1
}

/** Local time as part of a name: `20260131-120005`. */
function timeSuffix(time: Date): string {
  const two = (value: number) => String(value).padStart(2, '0')
  const date = [time.getFullYear(), time.getMonth() + 1, time.getDate()].map(two).join('')
  return `${date}-${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join('')}`
}
