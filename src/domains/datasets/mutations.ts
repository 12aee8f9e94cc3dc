import { ValidationError } from '../../errors.ts'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import type { IncomingFile } from './incoming-file.ts'
import { DatasetFileType, DatasetType, DatasetVisibilityEnum } from './schema.ts'

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
      description: 'Who sees it; PRIVATE unless given, and in a project.',
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
      description: 'Who sees it; TEAM only while it is in no project.',
    }),
    project: t.string({
      description:
        'Id or name of a project that you may edit, to put it in, which makes it PRIVATE; null takes it out of the one that it is in. For who made it, and the owners of the project that it is in.',
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
