import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { ProjectVisibilityEnum } from './members.schema.ts'
import { ProjectStatusEnum, ProjectType } from './schema.ts'

const FREE_COMMAND =
  'Instead of a launcher; FORBIDDEN where the server runs only those (serverInfo.freeCommands).'

const CreateProjectInput = builder.inputType('CreateProjectInput', {
  description: 'The project to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'Unique, at most 200 characters.' }),
    description: t.string({ description: 'What the project is, for people.' }),
    objective: t.string({ description: 'What is to be reached, for people.' }),
    taskType: t.string({ description: 'The kind of training, e.g. sft.' }),
    baseModel: t.string({ description: 'The model that training starts from.' }),
    tags: t.stringList({ description: 'Words to find it by.' }),
    defaultHyperparameters: t.field({ type: 'JSON', description: 'An object that every run starts from.' }),
    datasetName: t.string({ description: 'The dataset to train on; it may be uploaded later.' }),
    trainConfigName: t.string({
      description: 'The file name of the train config; it may be uploaded later.',
    }),
    launcher: t.string({ description: 'Id or name of the launcher whose command its runs are.' }),
    command: t.stringList({
      description: `The argv of a run; ["bash", "run_train_full_sft.sh", "{config}"] unless given. ${FREE_COMMAND}`,
    }),
    resumeArgs: t.stringList({
      description: `What is added to the argv when a run resumes. ${FREE_COMMAND}`,
    }),
    workingDirectory: t.string({
      description: `The absolute path that the command starts in. ${FREE_COMMAND}`,
    }),
    visibility: t.field({
      type: ProjectVisibilityEnum,
      description: 'Who sees it besides its members; PRIVATE unless given.',
    }),
    status: t.field({ type: ProjectStatusEnum, description: 'DRAFT unless given.' }),
  }),
})

const UpdateProjectInput = builder.inputType('UpdateProjectInput', {
  description: 'What to change of a project. A field that is left out stays as it is; null empties it.',
  fields: (t) => ({
    ref: t.string({ required: true, description: 'Id or name of the project.' }),
    name: t.string({ description: 'A new name.' }),
    description: t.string({ description: 'What the project is, for people.' }),
    objective: t.string({ description: 'What is to be reached, for people.' }),
    taskType: t.string({ description: 'The kind of training.' }),
    baseModel: t.string({ description: 'The model that training starts from.' }),
    tags: t.stringList({ description: 'All tags; they replace the ones before.' }),
    defaultHyperparameters: t.field({
      type: 'JSON',
      description: 'All defaults; they replace the ones before. Runs that exist keep theirs.',
    }),
    datasetName: t.string({ description: 'The dataset to train on.' }),
    trainConfigName: t.string({ description: 'The file name of the train config.' }),
    launcher: t.string({
      description: 'Id or name of the launcher whose command its runs are; null for a command of its own.',
    }),
    command: t.stringList({ description: `The argv of a run. ${FREE_COMMAND}` }),
    resumeArgs: t.stringList({
      description: `What is added to the argv when a run resumes. ${FREE_COMMAND}`,
    }),
    workingDirectory: t.string({
      description: `The absolute path that the command starts in. ${FREE_COMMAND}`,
    }),
    visibility: t.field({
      type: ProjectVisibilityEnum,
      description: 'Who sees it besides its members. For its owners.',
    }),
    owner: t.string({
      description: 'Id or username of the person whose project it becomes. For its owners, who stay owners.',
    }),
    status: t.field({ type: ProjectStatusEnum, description: 'What is to be said of it.' }),
  }),
})

const DeleteProjectInput = builder.inputType('DeleteProjectInput', {
  description: 'The project to delete.',
  fields: (t) => ({ ref: t.string({ required: true, description: 'Id or name of the project.' }) }),
})

const RemoveProjectMemberInput = builder.inputType('RemoveProjectMemberInput', {
  description: 'Who is to be a member no more.',
  fields: (t) => ({
    project: t.string({ required: true, description: 'Id or name of the project.' }),
    user: t.string({ required: true, description: 'Id or username of the member.' }),
  }),
})

builder.mutationFields((t) => ({
  createProject: t.prismaField({
    type: ProjectType,
    description: 'Makes a project, whose owner you are.',
    errors: resultUnion('CreateProjectResult', 'The new project, or why there is none.'),
    args: { input: t.arg({ type: CreateProjectInput, required: true, description: 'The project to make.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.projects.create(principalOf(context), input, query),
  }),
  updateProject: t.prismaField({
    type: ProjectType,
    description: 'Changes a project, and keeps in its history what changed. For its editors and owners.',
    errors: resultUnion('UpdateProjectResult', 'The project as it is now, or why it was not changed.'),
    args: { input: t.arg({ type: UpdateProjectInput, required: true, description: 'What to change.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.projects.update(principalOf(context), input, query),
  }),
  deleteProject: t.prismaField({
    type: ProjectType,
    description:
      'Deletes a project with its runs, their logs, metrics and artifacts. Refused while one of its runs is active. Datasets stay, those that were in it as their visibility says. For its owners.',
    errors: resultUnion('DeleteProjectResult', 'The project as it was, or why it is still there.'),
    args: {
      input: t.arg({ type: DeleteProjectInput, required: true, description: 'The project to delete.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.projects.delete(principalOf(context), input, query),
  }),
  removeProjectMember: t.prismaField({
    type: ProjectType,
    description:
      'Takes somebody out of a project: its owners take out anybody, members themselves. The last owner stays: else it is a ConflictError. What they watch of it ends, unless the whole team may see it. Their runs go on.',
    errors: resultUnion(
      'RemoveProjectMemberResult',
      'The project without the member, or why nothing changed.',
    ),
    args: { input: t.arg({ type: RemoveProjectMemberInput, required: true, description: 'Who.' }) },
    resolve: (query, _root, { input }, context) =>
      context.services.members.remove(principalOf(context), input, query),
  }),
}))
