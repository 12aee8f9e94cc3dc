import type { ParseArgsOptionsConfig } from 'node:util'
import type { Config } from '../config.ts'

/** A command of `npm run admin`. */
export interface Command {
  /** Its name and what follows it, e.g. `reset-password NAME`. */
  usage: string
  /** What it does, in lines that fit below its usage. */
  description: string[]
  options: ParseArgsOptionsConfig
  /** The names of its arguments, all of which must be given. */
  arguments: string[]
  /**
   * Does it.
   *
   * @returns the lines to print
   * @throws AdminError and the other errors for operators, with one line each
   */
  run(given: GivenArguments): Promise<string[]>
}

/** What a command was called with. */
export interface GivenArguments {
  config: Config
  options: Record<string, unknown>
  arguments: string[]
}
