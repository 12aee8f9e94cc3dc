/** `npm run admin -- COMMAND`: what the operator does on the machine itself; `--help` says what there is. */
import '../production.ts'
import { ConfigError, readConfig } from '../config.ts'
import { createOperatorTokens } from '../domains/accounts/operator-tokens.ts'
import { createOperatorResets } from '../domains/accounts/password-resets.ts'
import { DomainError } from '../errors.ts'
import { outageOf } from '../outage.ts'
import { SecretsError } from '../secrets/errors.ts'
import { agentTokenCommand } from './agent-token.ts'
import { type Commands, runCommandLine } from './command-line.ts'
import { AdminError } from './errors.ts'
import { resetPasswordCommand } from './reset-password.ts'
import { rotateKeysCommand } from './rotate-keys.ts'

const COMMANDS: Commands = {
  'rotate-keys': rotateKeysCommand,
  'reset-password': resetPasswordCommand((database, name) =>
    createOperatorResets({ database }).issuePasswordReset(name),
  ),
  'agent-token': agentTokenCommand((database, name) =>
    createOperatorTokens({ database }).issueAgentToken(name),
  ),
}

/** What the operator can mend; said in one line, without a stack. */
const OPERATOR_ERRORS = [AdminError, ConfigError, DomainError, SecretsError]

try {
  const lines = await runCommandLine(process.argv.slice(2), COMMANDS, () => readConfig(process.env))
  process.stdout.write(`${lines.join('\n')}\n`)
} catch (error) {
  process.stderr.write(`${explain(error)}\n`)
  process.exitCode = 1
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (OPERATOR_ERRORS.some((type) => error instanceof type)) return error.message
  const outage = outageOf(error)
  if (outage === 'disk-full') return 'The disk is full: free some space, then try again.'
  if (outage === 'database-locked')
    return 'Another program has the lock of the database: try again when it is done.'
  return String(error.stack)
}
