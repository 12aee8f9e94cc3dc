import './production.ts'
import { pino } from 'pino'
import { DataFolderError, startApp } from './app.ts'
import { ConfigError, readConfig } from './config.ts'
import { DataFolderInUseError } from './db/lock.ts'
import { inheritedEnvironment } from './execution/inherited-environment.ts'
import { SecretsError } from './secrets/errors.ts'
import { REDACTED_PATHS } from './secrets/redaction.ts'
import { ListenError } from './server/http.ts'

/** What the person who starts the server can mend; said in one line, without a stack. */
const OPERATOR_ERRORS = [ConfigError, DataFolderError, DataFolderInUseError, SecretsError, ListenError]

/** Prints a line for the person at the terminal; the log is for programs. */
const say = (line: string) => process.stdout.write(`${line}\n`)

/**
 * stderr; often a file on the disk that everything else lies on. When that is full, lines wait until there is
 * room, which is better than a server that ends because it cannot say something.
 */
function logDestination() {
  const destination = pino.destination({ fd: 2, sync: true })
  destination.on('error', () => undefined)
  return destination
}

try {
  const config = readConfig(process.env)
  const log = pino({ level: config.logLevel, redact: REDACTED_PATHS }, logDestination())
  const app = await startApp(config, log, inheritedEnvironment(process.env, config.runEnv))
  log.info({ url: app.url, dataDir: config.dataDir }, 'listening')
  say(`Trainyard listens on ${app.url}/graphql`)
  if (app.newPassword !== null) {
    say(`Sign in as admin with the password ${app.newPassword} (it is not shown again).`)
  } else {
    say(
      config.adminPassword === undefined
        ? 'Sign in as admin with the password that was printed at the first start.'
        : 'Sign in as admin with the password in TRAINYARD_ADMIN_PASSWORD.',
    )
  }

  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) return
    stopping = true
    log.info({ signal }, 'stopping; trainings go on')
    await app.stop()
    log.info('stopped')
    process.exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('uncaughtException', async (error) => {
    log.fatal({ err: error }, 'a defect: stopping')
    await Promise.race([app.stop(), new Promise((resolve) => setTimeout(resolve, 5000))]).catch(
      () => undefined,
    )
    process.exit(1)
  })
} catch (error) {
  const known = OPERATOR_ERRORS.some((type) => error instanceof type)
  process.stderr.write(
    `${known && error instanceof Error ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
  )
  process.exit(1)
}
