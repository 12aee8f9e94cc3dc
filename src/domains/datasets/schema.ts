import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { toVisibility, type Visibility } from '../projects/roles.ts'
import { ProjectType } from '../projects/schema.ts'
import { allowsChange } from './access.ts'
import { type DatasetStatus, toDatasetStatus } from './status.ts'

const DatasetStatusEnum = builder.enumType('DatasetStatus', {
  description: 'How far a dataset is.',
  values: {
    CREATED: { description: 'It has no file yet.' },
    READY: { description: 'It has a file, and can be trained on.' },
    TRAIN_CONFIG_UPLOADED: { description: 'It has a train config.' },
    TRAIN_CONFIG_DELETED: { description: 'Its train config was deleted and not replaced.' },
  } satisfies Record<DatasetStatus, object>,
})

/** Who sees a dataset that is in no project. */
export const DatasetVisibilityEnum = builder.enumType('DatasetVisibility', {
  description: 'Who sees a dataset that is in no project. One that is in a project is seen by its members.',
  values: {
    PRIVATE: { description: 'Who made it, and the administrators: for others it does not exist.' },
    TEAM: { description: 'Everybody signed in sees it and may train on it.' },
  } satisfies Record<Visibility, object>,
})

/** A file of a dataset. */
export const DatasetFileType = builder.prismaNode('DatasetFile', {
  description: 'A whole, checked file of a dataset.',
  id: { field: 'id' },
  authScopes: { person: true },
  fields: (t) => ({
    filename: t.exposeString('filename', { description: 'Its name; unique in the dataset.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'BigInt', description: 'Its size in bytes.' }),
    sha256: t.exposeString('sha256', { description: 'SHA-256 of its bytes, in hex.' }),
    uploadedAt: t.expose('uploadedAt', { type: 'DateTime', description: 'When it was whole.' }),
    downloadUrl: t.string({
      description:
        'A signed link to its bytes, with Range support. Whoever has it needs no token, and it is good until it expires, whatever becomes of your rights.',
      resolve: (file, _args, { downloadLink }) => downloadLink('dataset-files', file.id, file.filename),
    }),
    dataset: t.relation('dataset', { description: 'The dataset it belongs to.' }),
  }),
})

const TrainConfigType = builder.prismaObject('TrainConfig', {
  description: 'The configuration that a dataset is trained with.',
  fields: (t) => ({
    filename: t.exposeString('filename', { description: 'The name of the uploaded file.' }),
    sizeBytes: t.expose('sizeBytes', { type: 'BigInt', description: 'Its size in bytes.' }),
    uploadedAt: t.expose('uploadedAt', { type: 'DateTime', description: 'When it was uploaded.' }),
    content: t.expose('content', { type: 'JSON', description: 'What it says, as JSON.' }),
    text: t.exposeString('text', { description: 'The YAML as it was uploaded, comments and all.' }),
  }),
})

/** A dataset. */
export const DatasetType = builder.prismaNode('Dataset', {
  description: 'What is trained on: files, and the configuration to train with.',
  id: { field: 'id' },
  authScopes: { person: true },
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Unique; every place that takes an id of a dataset takes it too.',
    }),
    type: t.exposeString('type', {
      nullable: true,
      description: 'The form of its records, e.g. alpaca, sharegpt.',
    }),
    source: t.exposeString('source', { nullable: true, description: 'Where it comes from.' }),
    taskType: t.exposeString('taskType', {
      nullable: true,
      description: 'The kind of training it is for, e.g. sft.',
    }),
    metadata: t.expose('metadata', {
      type: 'JSON',
      description: 'Whatever else is to be known of it; an object.',
    }),
    status: t.field({
      type: DatasetStatusEnum,
      description: 'How far it is.',
      resolve: (dataset) => toDatasetStatus(dataset.status),
    }),
    files: t.relation('files', {
      description: 'Its files by name.',
      query: { orderBy: { filename: 'asc' } },
    }),
    trainConfig: t.relation('trainConfig', {
      type: TrainConfigType,
      nullable: true,
      description: 'The configuration that it is trained with; null while there is none.',
    }),
    totalBytes: t.field({
      type: 'BigInt',
      description: 'The size of all its files together, in bytes.',
      select: { files: { orderBy: { filename: 'asc' } } },
      resolve: (dataset) => dataset.files.reduce((sum, file) => sum + file.sizeBytes, 0n),
    }),
    visibility: t.field({
      type: DatasetVisibilityEnum,
      description: 'Who sees it while it is in no project; in one it is PRIVATE.',
      resolve: (dataset) => toVisibility(dataset.visibility),
    }),
    project: t.relation('project', {
      nullable: true,
      description: 'The project that it is in: then the members of that see it, and nobody else.',
    }),
    owner: t.relation('createdBy', { description: 'Whose it is: who made it.' }),
    canEdit: t.boolean({
      description: 'Whether you may change it, its files and its config.',
      resolve: (dataset, _args, context) =>
        allowsChange(context.services.access, principalOf(context), dataset),
    }),
    canDelete: t.boolean({
      description: 'Whether you may delete it, once no active run uses it.',
      resolve: (dataset, _args, context) =>
        allowsChange(context.services.access, principalOf(context), dataset),
    }),
    createdBy: t.relation('createdBy', { description: 'Who made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', {
      type: 'DateTime',
      description: 'When it, its files or its config last changed.',
    }),
  }),
})

builder.prismaObjectField(ProjectType, 'dataset', (t) =>
  t.prismaField({
    type: DatasetType,
    nullable: true,
    description: 'The dataset that the project names, once it exists; null when it is not for you.',
    resolve: (query, project, _args, context) =>
      project.datasetName === null
        ? null
        : context.services.datasets.findNamed(principalOf(context), project.datasetName, query),
  }),
)

const DatasetConnection = builder.connectionObject(
  { type: DatasetType, name: 'DatasetConnection', description: 'A page of datasets.' },
  { name: 'DatasetEdge', description: 'A dataset on a page.' },
)

const DatasetFilter = builder.inputType('DatasetFilter', {
  description: 'Which datasets: those that match everything given.',
  fields: (t) => ({
    status: t.field({ type: DatasetStatusEnum, description: 'Only of this status.' }),
    type: t.string({ description: 'Only of this type.' }),
    taskType: t.string({ description: 'Only for this kind of training.' }),
    visibility: t.field({ type: DatasetVisibilityEnum, description: 'Only of this visibility.' }),
    project: t.string({ description: 'Id or name of a project: only what is in it.' }),
    search: t.string({ description: 'Only with this text in name or source.' }),
  }),
})

builder.queryFields((t) => ({
  dataset: t.prismaField({
    type: DatasetType,
    nullable: true,
    description: 'A dataset; null when there is none, or not for you.',
    args: { ref: t.arg.string({ required: true, description: 'Id or name.' }) },
    resolve: (query, _root, { ref }, context) =>
      context.services.datasets.find(principalOf(context), ref, query),
  }),
  datasets: t.prismaConnection(
    {
      type: DatasetType,
      cursor: 'id',
      description: 'The datasets that you may see, the latest first.',
      args: { filter: t.arg({ type: DatasetFilter, description: 'Which datasets; all unless given.' }) },
      totalCount: (_root, { filter }, context) =>
        context.services.datasets.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.datasets.list(principalOf(context), filter, query),
    },
    DatasetConnection,
  ),
}))
