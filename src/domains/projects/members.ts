import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, NotFoundError } from '../../errors.ts'
import type { Prisma, Project, ProjectMember, User } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Signals } from '../../streams/signals.ts'
import { byUserRef } from '../accounts/names.ts'
import { type Principal, requireUser, type UserPrincipal } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { accessTopics, requireRole } from './access.ts'
import { requireProject, requireRecipient } from './find.ts'
import { RemoveProjectMemberInput, SetProjectMemberInput } from './inputs.ts'
import type { ProjectRole } from './roles.ts'
import { addVersion } from './versions.ts'

type MemberQuery = { include?: Prisma.ProjectMemberInclude; select?: Prisma.ProjectMemberSelect }
type ProjectQuery = { include?: Prisma.ProjectInclude; select?: Prisma.ProjectSelect }

export type MemberService = ReturnType<typeof createMemberService>

/** Who has which part in a project. There is always somebody who owns it and can sign in. */
export function createMemberService(deps: { database: Database; signals: Signals; now?: () => Date }) {
  const { database, signals, now = () => new Date() } = deps

  /** Hands what is theirs on when an owner ceases to be one. @throws ConflictError when nobody else owns the project */
  async function replaceOwner(
    tx: Transaction,
    actor: UserPrincipal,
    project: Project,
    leaving: User,
  ): Promise<void> {
    const next = await tx.projectMember.findFirst({
      where: {
        projectId: project.id,
        role: 'OWNER',
        userId: { not: leaving.id },
        user: { deactivatedAt: null },
      },
      orderBy: { id: 'asc' },
      include: { user: true },
    })
    if (!next) {
      throw new ConflictError(
        `${leaving.username} is the only owner of project ${project.name}: make somebody else an owner first.`,
      )
    }
    if (project.ownerId !== leaving.id) return
    await tx.project.update({ where: { id: project.id }, data: { ownerId: next.userId, updatedAt: now() } })
    await addVersion(tx, {
      projectId: project.id,
      changedById: actor.userId,
      createdAt: now(),
      changes: [{ field: 'owner', from: leaving.username, to: next.user.username }],
    })
  }

  return {
    /**
     * Gives somebody a role in a project, or another one than they had.
     *
     * @throws NotFoundError, ForbiddenError but for owners, ConflictError when nobody would own the project any more
     */
    async set(principal: Principal, input: unknown, query: MemberQuery = {}): Promise<ProjectMember> {
      const actor = requireUser(principal, 'RUN')
      const { project: ref, user: name, role } = parseInput(SetProjectMemberInput, input)
      const member = await database.transaction(async (tx) => {
        const project = await requireProject(tx, principal, ref, 'OWNER')
        const user = await requireRecipient(tx, name)
        const where = { projectId_userId: { projectId: project.id, userId: user.id } }
        const before = await tx.projectMember.findUnique({ where })
        if (before?.role === 'OWNER' && role !== 'OWNER') await replaceOwner(tx, actor, project, user)
        if (before?.role !== role) {
          await setRole(tx, project.id, user.id, role, now())
          await recordEvent(tx, principal, {
            action: 'PROJECT_MEMBER_SET',
            target: { kind: 'Project', id: project.id, name: project.name },
            details: { userId: user.id, username: user.username, role, before: before?.role ?? null },
          })
        }
        return tx.projectMember.findUniqueOrThrow({ ...query, where })
      })
      signals.notify(accessTopics.project(member.projectId))
      return member
    },

    /**
     * Takes somebody out of a project: an owner anybody, members themselves.
     *
     * @returns the project
     * @throws NotFoundError, ForbiddenError, ConflictError when nobody would own the project any more
     */
    async remove(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      const actor = requireUser(principal, 'RUN')
      const { project: ref, user: name } = parseInput(RemoveProjectMemberInput, input)
      const left = await database.transaction(async (tx) => {
        const project = await requireProject(tx, principal, ref, 'VIEWER')
        const member = await tx.projectMember.findFirst({
          where: { projectId: project.id, user: byUserRef(name) },
          include: { user: true },
        })
        if (member?.userId !== actor.userId) await requireRole(tx, principal, project.id, 'OWNER')
        if (!member) throw new NotFoundError('member', name)
        if (member.role === 'OWNER') await replaceOwner(tx, actor, project, member.user)
        await tx.projectMember.delete({ where: { id: member.id } })
        await recordEvent(tx, principal, {
          action: 'PROJECT_MEMBER_REMOVED',
          target: { kind: 'Project', id: project.id, name: project.name },
          details: { userId: member.userId, username: member.user.username, before: member.role },
        })
        return tx.project.findUniqueOrThrow({ ...query, where: { id: project.id } })
      })
      signals.notify(accessTopics.project(left.id))
      return left
    },
  }
}

/** Gives somebody a role in a project, in place of the one that they had. */
export async function setRole(
  tx: Transaction,
  projectId: string,
  userId: string,
  role: ProjectRole,
  at: Date,
): Promise<void> {
  await tx.projectMember.upsert({
    where: { projectId_userId: { projectId, userId } },
    create: { id: newId('ProjectMember'), projectId, userId, role, createdAt: at },
    update: { role },
  })
}
