import { parseArgs } from 'node:util'
import type { Config } from '../config.ts'
import type { Command } from './command.ts'
import { AdminError } from './errors.ts'

/** The commands by name. */
export type Commands = Record<string, Command>

/**
 * Runs the command that the arguments name, or explains what there is.
 *
 * @param readSettings is asked only when a command really runs, so that help needs no settings
 * @returns the lines to print
 * @throws AdminError when the arguments are wrong, and what the command throws
 */
export async function runCommandLine(
  argv: string[],
  commands: Commands,
  readSettings: () => Config,
): Promise<string[]> {
  const [name, ...rest] = argv
  if (name === undefined || ['--help', '-h', 'help'].includes(name)) return help(commands)
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (!command) {
    const known = Object.keys(commands).join(', ')
    throw new AdminError(`There is no command ${JSON.stringify(name)}, only: ${known}.`)
  }
  const { values, positionals } = parse(rest, command)
  if (values.help === true) return helpWith(command)
  if (positionals.length !== command.arguments.length) {
    throw new AdminError(`Call it like this: npm run admin -- ${command.usage}`)
  }
  return command.run({ config: readSettings(), options: values, arguments: positionals })
}

function parse(args: string[], { options, usage }: Command) {
  try {
    return parseArgs({
      args,
      options: { ...options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    })
  } catch (error) {
    // Only the first sentence: parseArgs goes on about what one may have meant.
    const reason = error instanceof Error ? error.message.split('. ', 1)[0] : String(error)
    throw new AdminError(`${reason}. Call it like this: npm run admin -- ${usage}`, { cause: error })
  }
}

function help(commands: Commands): string[] {
  return [
    'npm run admin -- COMMAND',
    '',
    'For the person who runs the server. Reads the same environment as the server, so that both mean the same',
    'data folder. Exits with 0 when it is done, and with 1 and one line that says why when it is not.',
    ...Object.values(commands).flatMap((command) => ['', ...helpWith(command)]),
  ]
}

function helpWith({ usage, description }: Command): string[] {
  return [`  ${usage}`, ...description.map((line) => `      ${line}`)]
}
