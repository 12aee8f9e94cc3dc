import { builder } from '../../graphql/builder.ts'
import { ComputeNodeLabelType, LabelInput } from '../compute-nodes/schema.ts'
import { storedWishes } from './placement/wishes.ts'

/** Where something is to be. */
export const PlacementInput = builder.inputType('PlacementInput', {
  description:
    'On which compute node something is to be. A run waits for what is not there; a deployment is refused.',
  fields: (t) => ({
    node: t.string({ description: 'Id or name of the compute node that it must be on.' }),
    labels: t.field({ type: [LabelInput], description: 'What must be said of its compute node: all of it.' }),
  }),
})

/** What a run asks of its place. */
export const RunPlacementType = builder.prismaObject('Run', {
  variant: 'RunPlacement',
  description: 'What a run asks of the compute node that it is given to.',
  fields: (t) => ({
    node: t.relation('wantedNode', {
      nullable: true,
      description: 'The compute node that it must be; null for any that fits.',
    }),
    labels: t.field({
      type: [ComputeNodeLabelType],
      description: 'What must be said of it.',
      resolve: (run) => Object.entries(storedWishes(run).labels).map(([name, value]) => ({ name, value })),
    }),
    gpuCount: t.exposeInt('gpuCount', {
      nullable: true,
      description:
        'How many GPUs it is to have for itself; null when it does not say: then it sees all, and none is its own.',
    }),
    gpuType: t.exposeString('gpuType', {
      nullable: true,
      description: 'A part of the name of each of these GPUs; null for any.',
    }),
    memoryBytes: t.expose('memoryBytes', {
      type: 'BigInt',
      nullable: true,
      description: 'How much memory is kept for it; null when it does not say.',
    }),
  }),
})
