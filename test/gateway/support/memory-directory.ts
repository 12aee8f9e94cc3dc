import { NotFoundError, UnavailableError } from '../../../src/errors.ts'
import type { ModelDirectory, RequestUsage, ServedModel } from '../../../src/gateway/model-directory.ts'

/** Deployments that a test declares. */
export interface MemoryDirectory extends ModelDirectory {
  /** From now on a model server serves this model; several may serve the same. @returns the id of the deployment */
  serve(name: string, url: string): string
  /** A deployment that is there, and not healthy. */
  serveNothing(name: string): void
  /** How many requests hold a deployment now. */
  held(): number
  /** What was recorded, in order. */
  records: (RequestUsage & { deploymentId: string })[]
}

/** A directory in memory. */
export function createMemoryDirectory(): MemoryDirectory {
  const models: (ServedModel & { url: string | null; turns: number })[] = []
  const records: MemoryDirectory['records'] = []
  let held = 0

  function add(name: string, url: string | null): string {
    const deploymentId = `dep_${models.length + 1}`
    models.push({ deploymentId, name, createdAt: new Date(0), ownedBy: 'admin', url, turns: 0 })
    return deploymentId
  }

  return {
    records,
    serve: add,
    serveNothing: (name) => void add(name, null),
    held: () => held,
    list: async () => models,
    async acquire(_principal, name) {
      const named = models.filter((model) => model.name === name)
      if (named.length === 0) throw new NotFoundError('model', name)
      const [next] = named.filter(({ url }) => url !== null).toSorted((a, b) => a.turns - b.turns)
      if (!next || next.url === null) throw new UnavailableError(`No deployment of ${name} is healthy.`)
      next.turns++
      held++
      return { deploymentId: next.deploymentId, url: next.url, modelName: null, release: () => void held-- }
    },
    record: (deploymentId, usage) => void records.push({ deploymentId, ...usage }),
  }
}
