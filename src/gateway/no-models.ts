import { NotFoundError } from '../errors.ts'
import type { ModelDirectory } from './model-directory.ts'

/** The directory of a server that serves no models. */
export const noModels: ModelDirectory = {
  list: async () => [],
  acquire: async (_principal, name) => {
    throw new NotFoundError('model', name)
  },
  record: () => undefined,
}
