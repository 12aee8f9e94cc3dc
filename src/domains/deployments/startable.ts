import { UnavailableError } from '../../errors.ts'
import { canStart } from '../../execution/program.ts'
import type { DeploymentDependencies } from './dependencies.ts'
import type { UsableEngine } from './engines.ts'
import { checkExtraArguments } from './extra-arguments.ts'
import type { ServerSettings } from './settings.ts'

/**
 * Sees to it that a model server can be started as it is asked for.
 *
 * @throws ValidationError for an argument that is refused, UnavailableError when the engine is not installed
 */
export function checkStartable(
  deps: Pick<DeploymentDependencies, 'environment' | 'deploymentsDir' | 'trustRemoteCode'>,
  settings: ServerSettings,
  engine: UsableEngine,
): void {
  checkExtraArguments(settings.extraArgs, deps)
  const [program = ''] = engine.command
  const path = engine.environment.PATH ?? deps.environment.PATH
  if (canStart(program, { ...(path !== undefined && { path }), cwd: deps.deploymentsDir })) return
  throw new UnavailableError(
    `The engine ${engine.name} is not installed: ${program} was not found. ${engine.howToInstall}`,
  )
}
