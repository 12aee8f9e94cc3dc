import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { LocaleEnum } from '../accounts/schema.ts'
import { storedStrings } from '../input.ts'
import { launchedBy } from '../launchers/choice.ts'
import { type FieldChange, parseChanges } from './changes.ts'
import { ProjectMemberConnection, ProjectRoleEnum, ProjectVisibilityEnum } from './members.schema.ts'
import { toVisibility } from './roles.ts'
import { PROJECT_STATUS_LABELS, type ProjectStatus, toProjectStatus } from './status.ts'

/** What people say of a project. */
export const ProjectStatusEnum = builder.enumType('ProjectStatus', {
  description: 'What people say of a project. Only ARCHIVED has an effect: it takes no new runs.',
  values: {
    DRAFT: { description: 'Being set up. 草稿' },
    ACTIVE: { description: 'Being worked on. 进行中' },
    PAUSED: { description: 'Put aside for now. 已暂停' },
    COMPLETED: { description: 'Has reached its objective. 已完成' },
    ARCHIVED: { description: 'Kept for the record; takes no new runs. 已归档' },
  } satisfies Record<ProjectStatus, object>,
})

const FieldChangeType = builder.objectRef<FieldChange>('FieldChange').implement({
  description: 'One field that a version changed.',
  fields: (t) => ({
    field: t.exposeString('field', { description: 'The name of the field.' }),
    from: t.expose('from', { type: 'JSON', nullable: true, description: 'Its value before; null for none.' }),
    to: t.expose('to', { type: 'JSON', nullable: true, description: 'Its value since; null for none.' }),
  }),
})

const ProjectVersionType = builder.prismaObject('ProjectVersion', {
  description: 'One saved change of a project; the first is its creation.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Names this version.' }),
    number: t.exposeInt('number', { description: 'Counts from 1 in its project.' }),
    changes: t.field({
      type: [FieldChangeType],
      description: 'What changed.',
      resolve: (version) => parseChanges(version.changes),
    }),
    changedBy: t.relation('changedBy', { description: 'Who changed it.' }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When.' }),
  }),
})

const ProjectVersionConnection = builder.connectionObject(
  {
    type: ProjectVersionType,
    name: 'ProjectVersionConnection',
    description: 'A page of versions of a project.',
  },
  { name: 'ProjectVersionEdge', description: 'A version on a page.' },
)

/** A project. */
export const ProjectType = builder.prismaNode('Project', {
  description: 'What is trained: a command, a dataset and defaults, and the runs made of them.',
  id: { field: 'id' },
  authScopes: { person: true },
  fields: (t) => ({
    name: t.exposeString('name', {
      description: 'Unique; every place that takes an id of a project takes it too.',
    }),
    description: t.exposeString('description', {
      nullable: true,
      description: 'What the project is, for people.',
    }),
    objective: t.exposeString('objective', {
      nullable: true,
      description: 'What is to be reached, for people.',
    }),
    taskType: t.exposeString('taskType', {
      nullable: true,
      description: 'The kind of training, e.g. sft, dpo, pretrain.',
    }),
    baseModel: t.exposeString('baseModel', {
      nullable: true,
      description: 'The model that training starts from: {model} in the command unless a run names another.',
    }),
    owner: t.relation('owner', {
      description: 'Whose project it is: one of its owners, at first who made it.',
    }),
    tags: t.stringList({
      description: 'Words to find it by, in the order they were given.',
      select: { tags: { orderBy: { position: 'asc' } } },
      resolve: (project) => project.tags.map((tag) => tag.value),
    }),
    defaultHyperparameters: t.expose('defaultHyperparameters', {
      type: 'JSON',
      description: 'An object that every run starts from; it is merged into the train config.',
    }),
    datasetName: t.exposeString('datasetName', {
      nullable: true,
      description: 'The dataset that runs train on; it may be uploaded later.',
    }),
    trainConfigName: t.exposeString('trainConfigName', {
      nullable: true,
      description:
        "The file name of the train config that runs use; the dataset's own one unless given. It may be uploaded later.",
    }),
    launcher: t.relation('launcher', {
      nullable: true,
      description: 'The launcher whose command its runs are; null when it has a command of its own.',
    }),
    command: t.stringList({
      description:
        'The argv of a run, never given to a shell: that of the launcher, if it has one. In its elements {config}, {dataset}, {output}, {checkpoint}, {model} and {run} are filled in.',
      select: { launcher: true },
      resolve: (project) => storedStrings(launchedBy(project).command),
    }),
    resumeArgs: t.stringList({
      description:
        'What is added to the argv when a run resumes, e.g. ["--resume", "{checkpoint}"]; that of the launcher, if it has one.',
      select: { launcher: true },
      resolve: (project) => storedStrings(launchedBy(project).resumeArgs),
    }),
    workingDirectory: t.string({
      nullable: true,
      description:
        'The absolute path that the command starts in; the server’s TRAINYARD_WORKING_DIR unless given. That of the launcher, if it has one.',
      select: { launcher: true },
      resolve: (project) => launchedBy(project).workingDirectory,
    }),
    status: t.field({
      type: ProjectStatusEnum,
      description: 'What people say of it.',
      resolve: (project) => toProjectStatus(project.status),
    }),
    statusLabel: t.string({
      description: 'The status in words.',
      args: {
        locale: t.arg({ type: LocaleEnum, required: true, defaultValue: 'EN', description: 'The language.' }),
      },
      resolve: (project, { locale }) => PROJECT_STATUS_LABELS[toProjectStatus(project.status)][locale],
    }),
    visibility: t.field({
      type: ProjectVisibilityEnum,
      description: 'Who sees it besides its members.',
      resolve: (project) => toVisibility(project.visibility),
    }),
    members: t.relatedConnection(
      'members',
      {
        cursor: 'id',
        totalCount: true,
        description: 'Who has which part in it, the longest first.',
        query: { orderBy: { id: 'asc' } },
      },
      ProjectMemberConnection,
    ),
    viewerRole: t.field({
      type: ProjectRoleEnum,
      description:
        'What you may do in it: your role as a member, VIEWER where only its visibility shows it to you, OWNER for an administrator.',
      resolve: async (project, _args, context) =>
        (await context.services.access.roleIn(principalOf(context), project.id)) ?? 'VIEWER',
    }),
    canEdit: t.boolean({
      description: 'Whether you may change it.',
      resolve: (project, _args, context) =>
        context.services.access.allows(principalOf(context), project.id, 'EDITOR'),
    }),
    canStartRun: t.boolean({
      description:
        'Whether you may start runs of it: you may edit it, it is not archived, and it has a launcher where one is needed.',
      resolve: (project, _args, context) =>
        context.services.projects.takesRuns(project) &&
        context.services.access.allows(principalOf(context), project.id, 'EDITOR'),
    }),
    canDelete: t.boolean({
      description: 'Whether you may delete it, once none of its runs is active.',
      resolve: (project, _args, context) =>
        context.services.access.allows(principalOf(context), project.id, 'OWNER'),
    }),
    canManageMembers: t.boolean({
      description: 'Whether you may say who its members are and who sees it, and hand it on.',
      resolve: (project, _args, context) =>
        context.services.access.allows(principalOf(context), project.id, 'OWNER'),
    }),
    versions: t.relatedConnection(
      'versions',
      {
        cursor: 'id',
        totalCount: true,
        description: 'What changed, when and by whom, the latest first.',
        query: { orderBy: { number: 'desc' } },
      },
      ProjectVersionConnection,
    ),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    updatedAt: t.expose('updatedAt', { type: 'DateTime', description: 'When its fields were last changed.' }),
  }),
})

const ProjectConnection = builder.connectionObject(
  { type: ProjectType, name: 'ProjectConnection', description: 'A page of projects.' },
  { name: 'ProjectEdge', description: 'A project on a page.' },
)

const ProjectFilter = builder.inputType('ProjectFilter', {
  description: 'Which projects: those that match everything given.',
  fields: (t) => ({
    owner: t.string({ description: 'Username or id of the owner.' }),
    member: t.string({ description: 'Username or id of a member: only projects that they have a role in.' }),
    visibility: t.field({ type: ProjectVisibilityEnum, description: 'Only of this visibility.' }),
    status: t.field({ type: ProjectStatusEnum, description: 'Only of this status.' }),
    tag: t.string({ description: 'Only with this tag.' }),
    search: t.string({ description: 'Only with this text in name, description or objective.' }),
  }),
})

builder.queryFields((t) => ({
  project: t.prismaField({
    type: ProjectType,
    nullable: true,
    description: 'A project; null when there is none, or not for you.',
    args: { ref: t.arg.string({ required: true, description: 'Id or name.' }) },
    resolve: (query, _root, { ref }, context) =>
      context.services.projects.find(principalOf(context), ref, query),
  }),
  projects: t.prismaConnection(
    {
      type: ProjectType,
      cursor: 'id',
      description: 'The projects that you may see, the latest first.',
      args: { filter: t.arg({ type: ProjectFilter, description: 'Which projects; all unless given.' }) },
      totalCount: (_root, { filter }, context) =>
        context.services.projects.count(principalOf(context), filter),
      resolve: (query, _root, { filter }, context) =>
        context.services.projects.list(principalOf(context), filter, query),
    },
    ProjectConnection,
  ),
}))
