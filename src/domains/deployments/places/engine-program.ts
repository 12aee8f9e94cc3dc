import { canStart } from '../../../execution/program.ts'
import type { UsableEngine } from '../engines.ts'

/** Where programs of the server's own machine are looked up. */
export interface ProgramSources {
  /** The part of the server's environment that model servers inherit. */
  environment: Record<string, string>
  /** The folder of all deployments. */
  deploymentsDir: string
}

/** Why an engine cannot be started on the server's own machine, as a sentence; null when it can. */
export function whyNotInstalled(sources: ProgramSources, engine: UsableEngine): string | null {
  const [program = ''] = engine.command
  const path = engine.environment.PATH ?? sources.environment.PATH
  if (canStart(program, { ...(path !== undefined && { path }), cwd: sources.deploymentsDir })) return null
  return `The engine ${engine.name} is not installed: ${program} was not found. ${engine.howToInstall}`
}
