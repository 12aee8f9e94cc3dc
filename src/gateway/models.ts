import { NotFoundError } from '../errors.ts'
import type { ServedModel } from './model-directory.ts'

/** A model as OpenAI's API lists it. */
export interface Model {
  id: string
  object: 'model'
  /** In seconds since 1970. */
  created: number
  owned_by: string
}

/** The models by their names; where several deployments serve one, the oldest speaks for it. */
export function listModels(served: ServedModel[]): { object: 'list'; data: Model[] } {
  const newestFirst = served.toSorted((a, b) => b.createdAt.getTime() - a.createdAt.getTime())
  const byName = new Map(newestFirst.map((model) => [model.name, toModel(model)]))
  return { object: 'list', data: [...byName.values()].toSorted((a, b) => a.id.localeCompare(b.id)) }
}

/** One of them. @throws NotFoundError */
export function findModel(served: ServedModel[], name: string): Model {
  const model = listModels(served).data.find(({ id }) => id === name)
  if (!model) throw new NotFoundError('model', name)
  return model
}

function toModel({ name, createdAt, ownedBy }: ServedModel): Model {
  return {
    id: name,
    object: 'model',
    created: Math.floor(createdAt.getTime() / 1000),
    owned_by: ownedBy,
  }
}
