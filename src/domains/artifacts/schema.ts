import { basename } from 'node:path'
import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { LocaleEnum } from '../accounts/schema.ts'
import {
  ARTIFACT_TAG_LABELS,
  type ArtifactTagValue,
  type ArtifactType,
  toArtifactTag,
  toArtifactType,
} from './types.ts'

const ArtifactTypeEnum = builder.enumType('ArtifactType', {
  description: 'What an artifact is good for.',
  values: {
    CHECKPOINT: { description: 'A state of the training that it can be resumed from.' },
    TENSORBOARD: { description: 'A TensorBoard event file.' },
    EVALUATION: { description: 'Results of an evaluation.' },
    CONFIG: { description: 'A configuration.' },
    MODEL: { description: 'Weights.' },
    FILE: { description: 'Anything else.' },
  } satisfies Record<ArtifactType, object>,
})

const ArtifactTagValueEnum = builder.enumType('ArtifactTagValue', {
  description: 'What people say of an artifact.',
  values: {
    CANDIDATE: { description: 'May be released. 候选' },
    RELEASE: { description: 'Is released. 发布' },
    ARCHIVED: { description: 'Is kept, but not for use. 归档' },
  } satisfies Record<ArtifactTagValue, object>,
})

builder.prismaObject('ArtifactTag', {
  description: 'A tag on an artifact.',
  fields: (t) => ({
    value: t.field({
      type: ArtifactTagValueEnum,
      description: 'What is said.',
      resolve: (tag) => toArtifactTag(tag.value),
    }),
    label: t.string({
      description: 'The tag in words.',
      args: {
        locale: t.arg({ type: LocaleEnum, required: true, defaultValue: 'EN', description: 'The language.' }),
      },
      resolve: (tag, { locale }) => ARTIFACT_TAG_LABELS[toArtifactTag(tag.value)][locale],
    }),
    notes: t.exposeString('notes', { nullable: true, description: 'Why, for people.' }),
    appliedAt: t.expose('appliedAt', { type: 'DateTime', description: 'When it was put on.' }),
    appliedBy: t.relation('appliedBy', { description: 'Who put it on.' }),
  }),
})

/** An artifact. */
export const ArtifactObject = builder.prismaNode('Artifact', {
  description: 'Something a run produced, complete and with its checksum.',
  id: { field: 'id' },
  fields: (t) => ({
    run: t.relation('run', {
      description: 'The run that produced it.',
      // The checkpoint that a run resumes from is of another run.
      authScopes: ({ runId }, _args, { principal }) => principal?.kind !== 'run' || principal.runId === runId,
    }),
    name: t.exposeString('name', { description: 'Its path in the output folder of the run; unique there.' }),
    type: t.field({
      type: ArtifactTypeEnum,
      description: 'What it is good for.',
      resolve: (artifact) => toArtifactType(artifact.type),
    }),
    uri: t.exposeString('uri', {
      description: 'Where it lies: file:///… on the machine of the run, or e.g. s3://….',
    }),
    isFolder: t.exposeBoolean('isFolder', {
      description: 'Whether it is a folder, which downloads as one tar archive.',
    }),
    sizeBytes: t.expose('sizeBytes', {
      type: 'BigInt',
      nullable: true,
      description: 'Its size in bytes; of all files together for a folder.',
    }),
    sha256: t.exposeString('sha256', {
      nullable: true,
      description: 'SHA-256 in hex of what downloadUrl gives: the file, or the tar archive of the folder.',
    }),
    step: t.exposeInt('step', {
      nullable: true,
      description: 'The training step it is of, where that is known.',
    }),
    tags: t.relation('tags', {
      description: 'What people say of it.',
      query: { orderBy: { appliedAt: 'asc' } },
    }),
    canTag: t.boolean({
      description: 'Whether you may tag it.',
      select: { run: { select: { projectId: true } } },
      resolve: ({ run }, _args, context) =>
        context.services.access.allows(principalOf(context), run.projectId, 'EDITOR'),
    }),
    downloadUrl: t.string({
      description:
        'A signed link to its bytes, with Range support. Whoever has it needs no token, and it is good until it expires, whatever becomes of your rights.',
      resolve: (artifact, _args, { downloadLink }) =>
        downloadLink(
          'artifacts',
          artifact.id,
          artifact.isFolder ? `${basename(artifact.name)}.tar` : basename(artifact.name),
        ),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was complete.' }),
  }),
})

/** A page of artifacts. */
export const ArtifactConnection = builder.connectionObject(
  { type: ArtifactObject, name: 'ArtifactConnection', description: 'A page of artifacts.' },
  { name: 'ArtifactEdge', description: 'An artifact on a page.' },
)

/** Which artifacts. */
export const ArtifactFilter = builder.inputType('ArtifactFilter', {
  description: 'Which artifacts: those that match everything given.',
  fields: (t) => ({
    type: t.field({ type: ArtifactTypeEnum, description: 'Only of this type.' }),
    tag: t.field({ type: ArtifactTagValueEnum, description: 'Only with this tag.' }),
  }),
})

builder.queryField('artifact', (t) =>
  t.prismaField({
    type: ArtifactObject,
    nullable: true,
    description: 'An artifact; null when there is none, or not for you.',
    args: { id: t.arg.id({ required: true, description: 'Its id.' }) },
    resolve: (query, _root, { id }, context) =>
      context.services.artifacts.find(principalOf(context), id, query),
  }),
)

const RegisterArtifactInput = builder.inputType('RegisterArtifactInput', {
  description:
    'Something a run produced that is not found in its output folder by itself, or whose type is to be said.',
  fields: (t) => ({
    runId: t.id({ required: true, description: 'Id of the run.' }),
    path: t.string({
      description:
        'A file or folder in the output folder, absolute or relative to it. It is read and hashed now.',
    }),
    uri: t.string({
      description:
        'Where something lies that is kept elsewhere, e.g. s3://bucket/key, by s3, gs, az, abfs, abfss, hdfs, http, https, oci or hf; instead of path.',
    }),
    name: t.string({ description: 'What to call it; its path, or the last part of the URI, unless given.' }),
    type: t.field({ type: ArtifactTypeEnum, description: 'FILE unless given.' }),
    step: t.int({ description: 'The training step it is of.' }),
    sizeBytes: t.field({ type: 'BigInt', description: 'The size in bytes of what lies at uri.' }),
    sha256: t.string({ description: 'SHA-256 of what lies at uri, in hex.' }),
  }),
})

const TagArtifactInput = builder.inputType('TagArtifactInput', {
  description: 'A tag to put on an artifact.',
  fields: (t) => ({
    artifactId: t.id({ required: true, description: 'Id of the artifact.' }),
    value: t.field({ type: ArtifactTagValueEnum, required: true, description: 'What is to be said of it.' }),
    notes: t.string({ description: 'Why, for people.' }),
  }),
})

const UntagArtifactInput = builder.inputType('UntagArtifactInput', {
  description: 'A tag to take off an artifact.',
  fields: (t) => ({
    artifactId: t.id({ required: true, description: 'Id of the artifact.' }),
    value: t.field({ type: ArtifactTagValueEnum, required: true, description: 'Which tag.' }),
  }),
})

builder.mutationFields((t) => ({
  registerArtifact: t.prismaField({
    type: ArtifactObject,
    description: 'Records something a run produced. The token of the run itself may do this too.',
    skipTypeScopes: true,
    authScopes: { reporter: true },
    errors: resultUnion('RegisterArtifactResult', 'The artifact, or why it was not recorded.'),
    args: { input: t.arg({ type: RegisterArtifactInput, required: true, description: 'The artifact.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.artifacts.register(principalOf(context), input, query),
  }),
  tagArtifact: t.prismaField({
    type: ArtifactObject,
    description: 'Tags an artifact. The same tag again replaces its notes.',
    errors: resultUnion('TagArtifactResult', 'The artifact with the tag, or why not.'),
    args: { input: t.arg({ type: TagArtifactInput, required: true, description: 'The tag.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.artifacts.tag(principalOf(context), input, query),
  }),
  untagArtifact: t.prismaField({
    type: ArtifactObject,
    description: 'Takes a tag off an artifact.',
    errors: resultUnion('UntagArtifactResult', 'The artifact without the tag, or why not.'),
    args: { input: t.arg({ type: UntagArtifactInput, required: true, description: 'The tag.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.artifacts.untag(principalOf(context), input, query),
  }),
}))
