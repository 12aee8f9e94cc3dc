import { ValidationError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { toVisibility, type Visibility } from '../projects/roles.ts'
import { ProjectType } from '../projects/schema.ts'
import { allowsChange } from './access.ts'
import type { IncomingFile } from './incoming-file.ts'
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

const DatasetVisibilityEnum = builder.enumType('DatasetVisibility', {
  description: 'Who sees a dataset that is in no project. One that is in a project is seen by its members.',
  values: {
    PRIVATE: { description: 'Who made it, and the administrators: for others it does not exist.' },
    TEAM: { description: 'Everybody signed in sees it and may train on it.' },
  } satisfies Record<Visibility, object>,
})

const DatasetFileType = builder.prismaNode('DatasetFile', {
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
const DatasetType = builder.prismaNode('Dataset', {
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
      description: 'Who sees it while it is in no project.',
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

const CreateDatasetInput = builder.inputType('CreateDatasetInput', {
  description: 'The dataset to make. Its files are uploaded afterwards.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Unique, at most 200 characters.' }),
    type: t.string({ description: 'The form of its records.' }),
    source: t.string({ description: 'Where it comes from.' }),
    taskType: t.string({ description: 'The kind of training it is for.' }),
    metadata: t.field({ type: 'JSON', description: 'Whatever else is to be known of it; an object.' }),
    visibility: t.field({
      type: DatasetVisibilityEnum,
      description: 'Who sees it while it is in no project; PRIVATE unless given.',
    }),
    project: t.string({
      description: 'Id or name of a project that you may edit, to put it in; none unless given.',
    }),
  }),
})

const UpdateDatasetInput = builder.inputType('UpdateDatasetInput', {
  description:
    'What to change of a dataset. A field that is left out stays as it is; null empties it. The name stays: projects and runs refer to a dataset by it.',
  fields: (t) => ({
    ref: t.string({ required: true, description: 'Id or name of the dataset.' }),
    type: t.string({ description: 'The form of its records.' }),
    source: t.string({ description: 'Where it comes from.' }),
    taskType: t.string({ description: 'The kind of training it is for.' }),
    metadata: t.field({ type: 'JSON', description: 'All metadata; they replace what was there before.' }),
    visibility: t.field({
      type: DatasetVisibilityEnum,
      description: 'Who sees it while it is in no project.',
    }),
    project: t.string({
      description:
        'Id or name of a project that you may edit, to put it in; null takes it out of the one that it is in.',
    }),
  }),
})

const DeleteDatasetInput = builder.inputType('DeleteDatasetInput', {
  description: 'The dataset to delete.',
  fields: (t) => ({ ref: t.string({ required: true, description: 'Id or name of the dataset.' }) }),
})

const UploadDatasetFileInput = builder.inputType('UploadDatasetFileInput', {
  description: 'A file for a dataset.',
  fields: (t) => ({
    dataset: t.string({ required: true, description: 'Id or name of the dataset.' }),
    file: t.field({
      type: 'Upload',
      required: true,
      description:
        'The file. .json, .jsonl, .csv and .txt are checked for being what they say; other kinds are stored as they are.',
    }),
  }),
})

const DeleteDatasetFileInput = builder.inputType('DeleteDatasetFileInput', {
  description: 'The file to delete.',
  fields: (t) => ({ fileId: t.id({ required: true, description: 'Id of the file.' }) }),
})

const UploadTrainConfigInput = builder.inputType('UploadTrainConfigInput', {
  description: 'A train config for a dataset.',
  fields: (t) => ({
    dataset: t.string({ required: true, description: 'Id or name of the dataset.' }),
    file: t.field({
      type: 'Upload',
      required: true,
      description: 'A .yaml or .yml file of at most 5 MB with one mapping in it.',
    }),
  }),
})

const DeleteTrainConfigInput = builder.inputType('DeleteTrainConfigInput', {
  description: 'The dataset whose train config is to be deleted.',
  fields: (t) => ({ dataset: t.string({ required: true, description: 'Id or name of the dataset.' }) }),
})

builder.mutationFields((t) => ({
  createDataset: t.prismaField({
    type: DatasetType,
    description: 'Makes a dataset without files.',
    errors: resultUnion('CreateDatasetResult', 'The new dataset, or why there is none.'),
    args: { input: t.arg({ type: CreateDatasetInput, required: true, description: 'The dataset to make.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.datasets.create(principalOf(context), input, query),
  }),
  updateDataset: t.prismaField({
    type: DatasetType,
    description:
      'Changes a dataset. Who made it may, or the editors of the project that it is in. Runs that were started keep the right to train on it.',
    errors: resultUnion('UpdateDatasetResult', 'The dataset as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateDatasetInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.datasets.update(principalOf(context), input, query),
  }),
  deleteDataset: t.prismaField({
    type: DatasetType,
    description: 'Deletes a dataset with its files. Refused while an active run uses it.',
    errors: resultUnion('DeleteDatasetResult', 'The dataset as it was, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteDatasetInput, required: true, description: 'The dataset to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.datasets.delete(principalOf(context), input, query),
  }),
  uploadDatasetFile: t.prismaField({
    type: DatasetFileType,
    description:
      'Adds a file to a dataset. It is checked and hashed while it arrives, and belongs to the dataset only once it is whole.',
    errors: resultUnion('UploadDatasetFileResult', 'The stored file, or why it was not stored.'),
    args: { input: t.arg({ type: UploadDatasetFileInput, required: true, description: 'The file.' }) },
    resolve: async (query, _root, { input }, context) =>
      context.services.datasets.uploadFile(
        principalOf(context),
        { dataset: input.dataset, file: await arrived(input.file) },
        query,
      ),
  }),
  deleteDatasetFile: t.prismaField({
    type: DatasetType,
    description: 'Deletes a file. Refused while an active run uses the dataset.',
    errors: resultUnion('DeleteDatasetFileResult', 'The dataset without it, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteDatasetFileInput, required: true, description: 'The file to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.datasets.deleteFile(principalOf(context), input, query),
  }),
  uploadTrainConfig: t.prismaField({
    type: DatasetType,
    description: 'Gives a dataset its train config, replacing the one before.',
    errors: resultUnion('UploadTrainConfigResult', 'The dataset with it, or why it was refused.'),
    args: { input: t.arg({ type: UploadTrainConfigInput, required: true, description: 'The config.' }) },
    resolve: async (query, _root, { input }, context) =>
      context.services.datasets.uploadTrainConfig(
        principalOf(context),
        { dataset: input.dataset, file: await arrived(input.file) },
        query,
      ),
  }),
  deleteTrainConfig: t.prismaField({
    type: DatasetType,
    description: 'Takes the train config from a dataset. Runs that exist keep their own copy.',
    errors: resultUnion('DeleteTrainConfigResult', 'The dataset without it, or why not.'),
    args: {
      input: t.arg({ type: DeleteTrainConfigInput, required: true, description: 'The dataset.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.datasets.deleteTrainConfig(principalOf(context), input, query),
  }),
}))

/** The file, once the request has come to it. @throws ValidationError when the request does not hold it */
async function arrived(file: Promise<IncomingFile>): Promise<IncomingFile> {
  try {
    return await file
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw ValidationError.at('file', `The file did not arrive: ${reason}`)
  }
}
