import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { type ProjectRole, toProjectRole, type Visibility } from './roles.ts'

/** What a member may do in a project. */
export const ProjectRoleEnum = builder.enumType('ProjectRole', {
  description: 'What a member may do in a project. Each role may do all that the ones before it may.',
  values: {
    VIEWER: { description: 'See the project with its runs, logs, metrics and artifacts, and watch them.' },
    EDITOR: {
      description:
        'Change the project, start, cancel and resume runs, report to them, tag artifacts, and change its datasets.',
    },
    OWNER: { description: 'Say who may see the project and who its members are, hand it on, delete it.' },
  } satisfies Record<ProjectRole, object>,
})

/** Who sees a project besides its members. */
export const ProjectVisibilityEnum = builder.enumType('ProjectVisibility', {
  description: 'Who sees a project besides its members and the administrators.',
  values: {
    PRIVATE: { description: 'Nobody: for others it does not exist.' },
    TEAM: { description: 'Everybody signed in sees what a VIEWER sees.' },
  } satisfies Record<Visibility, object>,
})

const ProjectMemberType = builder.prismaObject('ProjectMember', {
  description: 'Somebody’s part in a project.',
  fields: (t) => ({
    id: t.exposeID('id', { description: 'Names this membership.' }),
    user: t.relation('user', { description: 'Who.' }),
    role: t.field({
      type: ProjectRoleEnum,
      description: 'What they may do.',
      resolve: (member) => toProjectRole(member.role),
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'Since when they are a member.' }),
  }),
})

/** A page of members. */
export const ProjectMemberConnection = builder.connectionObject(
  {
    type: ProjectMemberType,
    name: 'ProjectMemberConnection',
    description: 'A page of members of a project.',
  },
  { name: 'ProjectMemberEdge', description: 'A member on a page.' },
)

const SetProjectMemberInput = builder.inputType('SetProjectMemberInput', {
  description: 'Who is to have which role.',
  fields: (t) => ({
    project: t.string({ required: true, description: 'Id or name of the project.' }),
    user: t.string({ required: true, description: 'Id or username of the person.' }),
    role: t.field({ type: ProjectRoleEnum, required: true, description: 'What they may do from now on.' }),
  }),
})

builder.mutationField('setProjectMember', (t) =>
  t.prismaField({
    type: ProjectMemberType,
    description:
      'Makes somebody a member of a project, or gives a member another role. For the owners of the project. The last owner stays one: else it is a ConflictError. When the person whose project it is ceases to be an owner, it becomes that of the owner who is a member for longest.',
    errors: resultUnion('SetProjectMemberResult', 'The member, or why nothing changed.'),
    args: {
      input: t.arg({ type: SetProjectMemberInput, required: true, description: 'Who and which role.' }),
    },
    resolve: (query, _root, { input }, context) =>
      context.services.members.set(principalOf(context), input, query),
  }),
)
