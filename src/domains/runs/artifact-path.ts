import { fileURLToPath } from 'node:url'
import { UnavailableError } from '../../errors.ts'

/**
 * Where an artifact lies on this machine.
 *
 * @throws UnavailableError when it is kept elsewhere, such as in a bucket
 */
export function artifactPath(artifact: { name: string; uri: string }): string {
  if (artifact.uri.startsWith('file://')) return fileURLToPath(artifact.uri)
  throw new UnavailableError(`Artifact ${artifact.name} is not on this machine but at ${artifact.uri}.`)
}
