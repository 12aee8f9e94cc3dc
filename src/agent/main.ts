/** `npm run agent -- --server URL --token-file FILE` makes this machine a compute node; `--help` says more. */
import '../production.ts'
import { pino } from 'pino'
import { inheritedEnvironment } from '../execution/inherited-environment.ts'
import { createLocalExecutor } from '../execution/local/local-executor.ts'
import { readHardware } from '../machine/hardware.ts'
import { createSampler } from '../machine/sampler.ts'
import { REDACTED_PATHS } from '../secrets/redaction.ts'
import { watchRoom } from '../storage/room.ts'
import { createAgent } from './agent.ts'
import { AgentError } from './errors.ts'
import { openAgentFolder } from './folder.ts'
import { type AgentOptions, HELP, readOptions } from './options.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

/** stderr; when its disk is full, lines wait until there is room. */
function logDestination() {
  const destination = pino.destination({ fd: 2, sync: true })
  destination.on('error', () => undefined)
  return destination
}

async function run(options: AgentOptions): Promise<void> {
  const { server, dataDir, workingDir } = options
  const log = pino({ level: process.env.LOG_LEVEL || 'info', redact: REDACTED_PATHS }, logDestination())
  const folder = await openAgentFolder(dataDir)
  const allowed = (process.env.TRAINYARD_RUN_ENV ?? '').split(',').map((name) => name.trim())
  const environment = inheritedEnvironment(process.env, allowed)
  const agent = createAgent({
    ...options,
    folder,
    executor: createLocalExecutor({ environment, workingDir }),
    sampler: createSampler({ environment, folder: dataDir }),
    readHardware: () => readHardware(environment),
    room: watchRoom({ folder: dataDir, log }),
    log,
  })
  let isStopping = false
  const stop = (signal: string) => {
    isStopping = true
    log.info({ signal }, 'stopping; trainings go on')
    void agent.stop()
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a defect: stopping')
    process.exit(1)
  })
  agent
    .start()
    .then(({ name, id }) => say(`Connected to ${server} as compute node ${name} (${id}).`))
    .catch((error: unknown) => {
      if (!isStopping) fail(error)
    })
  const error = await agent.ended
  await folder.close()
  if (error) throw error
}

function fail(error: unknown): never {
  process.stderr.write(`${error instanceof AgentError ? error.message : Object(error).stack}\n`)
  process.exit(1)
}

try {
  const options = await readOptions(process.argv.slice(2), process.env)
  if (options) await run(options)
  else say(HELP)
  process.exit(0)
} catch (error) {
  fail(error)
}
