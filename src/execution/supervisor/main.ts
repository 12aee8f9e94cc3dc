import { hasCode } from './atomic-file.ts'
import { log } from './durably.ts'
import { EXIT_DISK_FULL } from './records.ts'
import { succeed } from './succeed.ts'
import { supervise } from './supervise.ts'

/**
 * The program that stays beside each execution: `main.ts supervise DIRECTORY` starts the command
 * described there, `main.ts succeed DIRECTORY` ends it when its supervisor was killed. It imports
 * nothing outside Node and this folder's neighbours, because one of it runs for every run.
 */
const ROLES = { supervise, succeed }

/** What the program can be started as. */
export type Role = keyof typeof ROLES

const [role, directory] = process.argv.slice(2)
if (!directory || (role !== 'supervise' && role !== 'succeed')) {
  log('usage: main.ts supervise|succeed DIRECTORY')
  process.exit(2)
}
try {
  await ROLES[role](directory)
} catch (error) {
  log(error instanceof Error ? String(error.stack) : String(error))
  process.exit(hasCode(error, 'ENOSPC') ? EXIT_DISK_FULL : 1)
}
// The inbox listens for the life of the process, and that is over.
process.exit(0)
