import type { Database } from '../db/database.ts'
import { quoteForShell } from '../domains/runs/command.ts'
import type { Command } from './command.ts'
import { withDatabase } from './data-folder.ts'
import { publicUrlOf } from './public-url.ts'

/** `agent-token`: what another machine needs to become a compute node, also while the server runs. */
export function agentTokenCommand(issue: (database: Database, name: string) => Promise<string>): Command {
  return {
    usage: 'agent-token NAME',
    description: [
      'Prints what to start on another machine so that it becomes a compute node of that name, with a token that is',
      'bound to the first machine that uses it. It works while the server runs. Who has the token before that',
      'machine has used it gets what runs on the node.',
    ],
    options: {},
    arguments: ['NAME'],

    async run({ config, arguments: [name = ''] }) {
      const url = publicUrlOf(config)
      const token = await withDatabase(config.dataDir, (database) => issue(database, name))
      return [
        'On the other machine, where Trainyard is installed (the address must be one that reaches this server):',
        // Not as an argument, which everybody on that machine would see in the list of processes.
        `TRAINYARD_AGENT_TOKEN=${token} npm run agent -- ${quoteForShell(['--server', url, '--name', name])}`,
      ]
    },
  }
}
