import type { Database } from '../db/database.ts'
import { accountLink } from '../server/pages/account/account-pages.ts'
import type { Command } from './command.ts'
import { withDatabase } from './data-folder.ts'
import { publicUrlOf } from './public-url.ts'

/** Makes a secret that sets a new password for an account, once. @throws NotFoundError, ConflictError */
type IssuePasswordReset = (
  database: Database,
  name: string,
) => Promise<{ secret: string; expiresAt: Date; username: string }>

/** `reset-password`: a link for somebody who has forgotten theirs, also while the server runs. */
export function resetPasswordCommand(issue: IssuePasswordReset): Command {
  return {
    usage: 'reset-password NAME',
    description: [
      'Prints a link with which the person of that user name chooses a new password, once. It works while the',
      'server runs, and until then their old password does, too. Whoever has the link has the account.',
    ],
    options: {},
    arguments: ['NAME'],

    async run({ config, arguments: [name = ''] }) {
      const publicUrl = publicUrlOf(config)
      const { secret, expiresAt, username } = await withDatabase(config.dataDir, (database) =>
        issue(database, name),
      )
      return [
        `With this link ${username} chooses a new password. It works once, until ${minuteOf(expiresAt)}:`,
        accountLink(publicUrl, 'reset-password', secret),
      ]
    },
  }
}

/** @example '2026-01-31 09:30 UTC' */
function minuteOf(date: Date): string {
  return `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
}
