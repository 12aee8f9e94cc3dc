import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { storedStrings } from '../input.ts'

/** A launcher. */
export const LauncherType = builder.prismaNode('Launcher', {
  description: 'A command that administrators define and everybody may choose for their projects.',
  id: { field: 'id' },
  authScopes: { person: true },
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Unique; every place that takes an id of a launcher takes it too.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What it is for, for people.',
    }),
    command: t.stringList({
      description:
        'The argv of a run, never given to a shell. In its elements {config}, {dataset}, {output}, {checkpoint}, {model} and {run} are filled in.',
      resolve: (launcher) => storedStrings(launcher.command),
    }),
    resumeArgs: t.stringList({
      description: 'What is added to the argv when a run resumes.',
      resolve: (launcher) => storedStrings(launcher.resumeArgs),
    }),
    environmentNames: t.stringList({
      description: 'The names of the variables that its runs get, besides those that all runs get.',
      resolve: (launcher) => storedStrings(launcher.environmentNames),
    }),
    environment: t.field({
      type: 'JSON',
      nullable: true,
      description: 'The variables with their values, for administrators; null for others.',
      resolve: (launcher, _args, context) =>
        context.services.launchers.environmentOf(principalOf(context), launcher),
    }),
    workingDirectory: t.exposeString('workingDirectory', {
      nullable: true,
      description:
        'The absolute path that the command starts in; the server’s TRAINYARD_WORKING_DIR unless given.',
    }),
    createdBy: t.relation('createdBy', { description: 'Who made it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When it was last changed.' }),
  }),
})

const LauncherConnection = builder.connectionObject(
  { type: LauncherType, name: 'LauncherConnection', description: 'A page of launchers.' },
  { name: 'LauncherEdge', description: 'A launcher on a page.' },
)

builder.queryFields((t) => ({
  launcher: t.prismaField({
    type: LauncherType,
    nullable: true,
    description: 'A launcher; null when there is none.',
    args: { ref: t.arg.string({ required: true, description: 'Id or name.' }) },
    resolve: (query, _root, { ref }, context) =>
      context.services.launchers.find(principalOf(context), ref, query),
  }),
  launchers: t.prismaConnection(
    {
      type: LauncherType,
      cursor: 'id',
      description: 'The launchers that there are to choose from, the latest first.',
      totalCount: (_root, _args, context) => context.services.launchers.count(principalOf(context)),
      resolve: (query, _root, _args, context) => context.services.launchers.list(principalOf(context), query),
    },
    LauncherConnection,
  ),
}))

const ENVIRONMENT =
  'An object of texts: variables that its runs get. It is kept sealed. No name may begin with TRAINYARD_.'

const CreateLauncherInput = builder.inputType('CreateLauncherInput', {
  description: 'The launcher to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Unique, at most 200 characters.' }),
    description: t.string({ description: 'What it is for, for people.' }),
    command: t.stringList({ required: true, description: 'The argv of a run.' }),
    resumeArgs: t.stringList({ description: 'What is added to the argv when a run resumes.' }),
    environment: t.field({ type: 'JSON', description: ENVIRONMENT }),
    workingDirectory: t.string({ description: 'The absolute path that the command starts in.' }),
  }),
})

const UpdateLauncherInput = builder.inputType('UpdateLauncherInput', {
  description: 'What to change of a launcher. A field that is left out stays as it is; null empties it.',
  fields: (t) => ({
    ref: t.string({ required: true, description: 'Id or name of the launcher.' }),
    name: t.string({ description: 'A new name.' }),
    description: t.string({ description: 'What it is for, for people.' }),
    command: t.stringList({ description: 'The argv of a run. Runs that are queued keep theirs.' }),
    resumeArgs: t.stringList({ description: 'What is added to the argv when a run resumes.' }),
    environment: t.field({
      type: 'JSON',
      description: `${ENVIRONMENT} They replace those before, for the runs that start from now on.`,
    }),
    workingDirectory: t.string({ description: 'The absolute path that the command starts in.' }),
  }),
})

const DeleteLauncherInput = builder.inputType('DeleteLauncherInput', {
  description: 'The launcher to delete.',
  fields: (t) => ({ ref: t.string({ required: true, description: 'Id or name of the launcher.' }) }),
})

builder.mutationFields((t) => ({
  createLauncher: t.prismaField({
    type: LauncherType,
    description: 'Makes a launcher. For administrators.',
    errors: resultUnion('CreateLauncherResult', 'The new launcher, or why there is none.'),
    args: {
      input: t.arg({ type: CreateLauncherInput, required: true, description: 'The launcher to make.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.launchers.create(principalOf(context), input, query),
  }),
  updateLauncher: t.prismaField({
    type: LauncherType,
    description: 'Changes a launcher, for the runs that are started from now on. For administrators.',
    errors: resultUnion('UpdateLauncherResult', 'The launcher as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateLauncherInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.launchers.update(principalOf(context), input, query),
  }),
  deleteLauncher: t.prismaField({
    type: LauncherType,
    description:
      'Deletes a launcher. Refused while projects, or runs that are not over, use it. For administrators.',
    errors: resultUnion('DeleteLauncherResult', 'The launcher as it was, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteLauncherInput, required: true, description: 'The launcher to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.launchers.delete(principalOf(context), input, query),
  }),
}))
