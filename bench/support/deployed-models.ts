import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AccountCreateApiTokenDocument } from '../../src/generated/operations.ts'
import { givenDeployments, givenEngine } from '../../test/domains/deployments/support/deployments.ts'
import { expected } from '../../test/support/people.ts'
import { startBenchServer } from './server.ts'

/** A server with models behind its gateway. */
export interface DeployedModels extends AsyncDisposable {
  /** The server. */
  url: string
  pid(): number
  /** An API token that may ask the models. */
  token: string
  /** Deploys a model that answers as the arguments of test/support/model-server say. @returns where it listens itself */
  deploy(name: string, ...args: string[]): Promise<string>
}

/** Starts the server that `npm start` starts. With `await using` it is gone when the block ends, and its models too. */
export async function startDeployedModels(): Promise<DeployedModels> {
  const models = await mkdtemp(join(tmpdir(), 'trainyard-models-'))
  const server = await startBenchServer({ TRAINYARD_MODEL_ROOTS: models })
  const given = givenDeployments(server.api)
  await givenEngine(server.api, models)
  const input = { name: 'bench', scopes: ['RUN' as const] }
  const { createApiToken } = await server.api.send(AccountCreateApiTokenDocument, { input })
  return {
    url: server.url,
    pid: server.pid,
    token: expected(createApiToken, 'ApiToken').token ?? '',
    async deploy(name, ...extraArgs) {
      const { port } = await given.running({ name, extraArgs })
      return `http://127.0.0.1:${port}`
    },
    async [Symbol.asyncDispose]() {
      await given.deleteAll()
      await server[Symbol.asyncDispose]()
      await rm(models, { recursive: true, force: true })
    },
  }
}
