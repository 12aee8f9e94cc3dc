import {
  type Answer,
  type ApiClient as Client,
  createClient as createApiClient,
  type Operation,
} from '../../src/client/client.ts'

export type { Answer, Operation }

/** The client of the public API, and what only tests do with it. */
export interface ApiClient extends Client {
  /** An operation with files, which stand at the paths of the keys, e.g. `variables.input.file`. */
  upload<Data, Variables extends object>(
    operation: Operation<Data, Variables>,
    variables: Variables,
    files: Record<string, File>,
  ): Promise<Answer<Data>>
}

/** A client of the server at `url` that is not signed in. */
export function createClient(url: string): ApiClient {
  const client = createApiClient(url)
  return {
    ...client,
    upload: (operation, variables, files) => client.ask(operation, withFiles(variables, files)),
  }
}

function withFiles<Variables extends object>(variables: Variables, files: Record<string, File>): Variables {
  const copy = structuredClone(variables)
  for (const [path, file] of Object.entries(files)) {
    const keys = path.split('.').slice(1)
    const last = keys.pop() ?? path
    const parent = keys.reduce<unknown>((part, key) => Reflect.get(Object(part), key), copy)
    Reflect.set(Object(parent), last, file)
  }
  return copy
}
