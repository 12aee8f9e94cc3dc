import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Whether a program would be found, as a launch looks for it.
 *
 * @param path the PATH that names without a slash are looked up in
 * @param cwd where paths start that do not begin with a slash
 */
export function canStart(program: string, { path = '', cwd }: { path?: string; cwd: string }): boolean {
  if (program.startsWith('/')) return isExecutable(program)
  if (program.includes('/')) return isExecutable(join(cwd, program))
  return path.split(delimiter).some((folder) => isExecutable(join(folder || cwd, program)))
}

function isExecutable(path: string): boolean {
  if (!statSync(path, { throwIfNoEntry: false })?.isFile()) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
