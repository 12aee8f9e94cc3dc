import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type CreateDeploymentInput,
  DeploymentByIdDocument,
  DeploymentCreateDocument,
  DeploymentDeleteDocument,
  DeploymentLogDocument,
  type DeploymentStateFragment,
  EngineCreateDocument,
} from '../../../../src/generated/operations.ts'
import type { ApiClient } from '../../../support/client.ts'
import { deleteDeployments } from '../../../support/delete-deployments.ts'
import { MODEL_SERVER } from '../../../support/model-server-process.ts'
import { until } from '../../../support/until.ts'

/** The engine of tests: a small real model server; see test/support/model-server.ts. */
export const TEST_ENGINE = {
  name: 'small',
  command: [
    ...[process.execPath, MODEL_SERVER, 'serve', '{model}', '--host', '{host}', '--port', '{port}'],
    ...['--served-model-name', '{name}'],
  ],
}

/** Lets a server know the engine of tests, and gives it a model, which is at `tiny`. */
export async function givenEngine(api: ApiClient, modelRoot: string): Promise<void> {
  await mkdir(join(modelRoot, 'tiny'), { recursive: true })
  await writeFile(join(modelRoot, 'tiny', 'model.safetensors'), 'weights')
  const { createEngine } = await api.send(EngineCreateDocument, { input: TEST_ENGINE })
  if (createEngine.__typename !== 'Engine') throw new Error(createEngine.message)
}

/** Makes deployments through the API, so that a test reads as a sentence; whatever goes wrong fails the test. */
export function givenDeployments(api: ApiClient) {
  const state = async (id: string): Promise<DeploymentStateFragment> => {
    const { deployment } = await api.send(DeploymentByIdDocument, { id })
    if (!deployment) throw new Error(`There is no deployment ${id}`)
    return deployment
  }

  const when = (id: string, what: string, reached: (deployment: DeploymentStateFragment) => boolean) =>
    until(`the deployment to be ${what}`, async () => {
      const deployment = await state(id)
      if (reached(deployment)) return deployment
      if (deployment.status === 'FAILED' && what !== 'FAILED') throw new Error(JSON.stringify(deployment))
      return null
    })

  const given = {
    state,
    when,

    /** A deployment of the small model server. */
    async deployment(input: CreateDeploymentInput = {}): Promise<DeploymentStateFragment> {
      const { createDeployment } = await api.send(DeploymentCreateDocument, {
        input: { modelPath: input.artifactId ? undefined : 'tiny', engine: TEST_ENGINE.name, ...input },
      })
      if (createDeployment.__typename !== 'Deployment') throw new Error(JSON.stringify(createDeployment))
      return createDeployment
    },

    /** The deployment once it has this status. */
    reaches: (id: string, status: string) => when(id, status, (deployment) => deployment.status === status),

    async running(input: CreateDeploymentInput = {}): Promise<DeploymentStateFragment> {
      return given.reaches((await given.deployment(input)).id, 'RUNNING')
    },

    /** The messages of its log. */
    async log(id: string, filter = {}): Promise<{ source: string; message: string }[]> {
      const { deployment } = await api.send(DeploymentLogDocument, { id, filter })
      return deployment?.logs.edges.map(({ node }) => node) ?? []
    },

    async delete(id: string): Promise<void> {
      const { deleteDeployment } = await api.send(DeploymentDeleteDocument, { input: { deploymentId: id } })
      if (deleteDeployment.__typename !== 'Deployment') throw new Error(deleteDeployment.message)
    },

    /** Leaves no process behind, whatever became of a test. */
    deleteAll: () => deleteDeployments(api),
  }
  return given
}
