import { z } from 'zod'
import type { Launcher } from '../../generated/prisma/client.ts'
import { launcherPurpose } from '../../secrets/sealed-columns.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import { parseInput } from '../input.ts'

/** Variables by name. Their values may be secrets: the database has them sealed. */
export type Variables = Record<string, string>

/** The columns that keep an environment. */
export function sealEnvironment(sealer: Sealer, launcherId: string, variables: Variables) {
  const environmentNames = Object.keys(variables).sort()
  const environment =
    environmentNames.length > 0 ? sealer.seal(JSON.stringify(variables), launcherPurpose(launcherId)) : null
  return { environment, environmentNames }
}

/** The environment of a launcher with its values. @throws SecretsError when it does not open */
export function openEnvironment(
  sealer: Sealer,
  { id, environment }: Pick<Launcher, 'id' | 'environment'>,
): Variables {
  if (environment === null) return {}
  return parseInput(
    z.record(z.string(), z.string()),
    JSON.parse(sealer.open(environment, launcherPurpose(id))),
  )
}
