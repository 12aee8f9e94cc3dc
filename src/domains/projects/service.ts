import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError } from '../../errors.ts'
import type { Prisma, Project } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import type { Signals } from '../../streams/signals.ts'
import { byUserRef } from '../accounts/names.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { checkOwnCommand, requireLauncher } from '../launchers/choice.ts'
import { byIdOrName, refuseTakenName } from '../names.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import { accessTopics, requireRole, visibleProjects } from './access.ts'
import { changesBetween } from './changes.ts'
import { requireProject, requireRecipient } from './find.ts'
import { CreateProjectInput, DeleteProjectInput, UpdateProjectInput } from './inputs.ts'
import { setRole } from './members.ts'
import type { Visibility } from './roles.ts'
import type { ProjectStatus } from './status.ts'
import { addVersion } from './versions.ts'

/** What a project runs unless it says otherwise. */
export const DEFAULT_COMMAND = ['bash', 'run_train_full_sft.sh', '{config}']

/** Which projects a list shows; unset parts do not restrict. */
export interface ProjectFilter {
  owner?: string | null
  member?: string | null
  visibility?: Visibility | null
  status?: ProjectStatus | null
  tag?: string | null
  search?: string | null
}

type ProjectQuery = { include?: Prisma.ProjectInclude; select?: Prisma.ProjectSelect }
type ProjectListQuery = Pick<Prisma.ProjectFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What the project service needs. */
export interface ProjectDependencies {
  database: Database
  signals: Signals
  /** Whether people may say themselves what a project runs, instead of choosing a launcher. */
  freeCommands: boolean
  /** Removes what the runs of a project left on disk; called after all rows are gone. */
  discardRuns: (projectId: string, runIds: string[]) => Promise<void>
  now?: () => Date
}

export type ProjectService = ReturnType<typeof createProjectService>

/** Projects: what is trained, with which command, dataset and defaults, and who changed that when. */
export function createProjectService(deps: ProjectDependencies) {
  const { database, signals, freeCommands, discardRuns, now = () => new Date() } = deps
  const { prisma } = database

  const selected = (principal: Principal, filter: ProjectFilter | null | undefined) => ({
    AND: [visibleProjects(principal), matching(filter)],
  })

  return {
    /** A project by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: ProjectQuery = {}): Promise<Project | null> {
      requireUser(principal, 'READ')
      return prisma.project.findFirst({
        ...query,
        where: { AND: [byIdOrName('Project', ref), visibleProjects(principal)] },
      })
    },

    /** Whether runs of a project can be started, by whoever may do it. */
    takesRuns(project: Project): boolean {
      return project.status !== 'ARCHIVED' && (freeCommands || project.launcherId !== null)
    },

    /** Projects that match, newest first. */
    async list(
      principal: Principal,
      filter: ProjectFilter | null | undefined,
      query: ProjectListQuery = {},
    ): Promise<Project[]> {
      requireUser(principal, 'READ')
      return prisma.project.findMany(latestFirst(query, selected(principal, filter)))
    },

    async count(principal: Principal, filter: ProjectFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.project.count({ where: selected(principal, filter) })
    },

    /**
     * Makes a project, which is private unless it is said otherwise, and whose owner is who makes it.
     *
     * @throws ValidationError, ConflictError when the name is taken, ForbiddenError for a command where only
     *   launchers may be used, NotFoundError for a launcher that is none
     */
    async create(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      const { userId } = requireUser(principal, 'RUN')
      const { tags, launcher: launcherRef, ...given } = parseInput(CreateProjectInput, input)
      const fields = {
        ...given,
        command: given.command ?? DEFAULT_COMMAND,
        resumeArgs: given.resumeArgs ?? [],
      }
      const id = newId('Project')
      return refuseTakenName('a project', fields.name, () =>
        database.transaction(async (tx) => {
          const launcher = typeof launcherRef === 'string' ? await requireLauncher(tx, launcherRef) : null
          await checkOwnCommand(tx, given, { freeCommands, launcher })
          await tx.project.create({
            data: {
              ...fields,
              id,
              ownerId: userId,
              launcherId: launcher?.id ?? null,
              createdAt: now(),
              updatedAt: now(),
              tags: { create: tags.map((value, position) => ({ value, position })) },
            },
          })
          await setRole(tx, id, userId, 'OWNER', now())
          await addVersion(tx, {
            projectId: id,
            changedById: userId,
            createdAt: now(),
            changes: changesBetween({}, { ...fields, launcher: launcher?.name, tags }),
          })
          await recordEvent(tx, principal, {
            action: 'PROJECT_CREATED',
            target: { kind: 'Project', id, name: fields.name },
            details: { visibility: fields.visibility, launcher: launcher?.name ?? null },
          })
          return tx.project.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
    },

    /**
     * Changes the fields that are given and leaves the others. For editors; visibility and owner for owners.
     *
     * @throws NotFoundError, ForbiddenError, ValidationError, ConflictError
     */
    async update(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      const { userId } = requireUser(principal, 'RUN')
      const {
        ref,
        tags,
        launcher: launcherRef,
        owner: ownerRef,
        ...fields
      } = parseInput(UpdateProjectInput, input)
      const { project, isAboutAccess } = await refuseTakenName('a project', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const { id } = await requireProject(tx, principal, ref, 'EDITOR')
          const before = await tx.project.findUniqueOrThrow({
            where: { id },
            include: {
              tags: { orderBy: { position: 'asc' } },
              owner: { select: { username: true } },
              launcher: { select: { id: true, name: true } },
            },
          })
          const launcher =
            typeof launcherRef === 'string' ? await requireLauncher(tx, launcherRef) : launcherRef
          await checkOwnCommand(tx, fields, {
            freeCommands,
            launcher: launcher === undefined ? before.launcher : launcher,
          })
          const owner = ownerRef === undefined ? undefined : await requireRecipient(tx, ownerRef)
          const changes = changesBetween(
            {
              ...before,
              tags: before.tags.map((tag) => tag.value),
              owner: before.owner.username,
              launcher: before.launcher?.name,
            },
            {
              ...fields,
              tags,
              owner: owner?.username,
              launcher: launcher === null ? null : launcher?.name,
            },
          )
          const isAboutAccess = changes.some(({ field }) => field === 'visibility' || field === 'owner')
          if (isAboutAccess) await requireRole(tx, principal, id, 'OWNER')
          if (changes.length > 0) {
            await tx.project.update({
              where: { id },
              data: {
                ...fields,
                ...(owner && { ownerId: owner.id }),
                ...(launcher !== undefined && { launcherId: launcher?.id ?? null }),
                updatedAt: now(),
                ...(tags && {
                  tags: { deleteMany: {}, create: tags.map((value, position) => ({ value, position })) },
                }),
              },
            })
            if (owner) await setRole(tx, id, owner.id, 'OWNER', now())
            await addVersion(tx, { projectId: id, changedById: userId, createdAt: now(), changes })
            await recordEvent(tx, principal, {
              action: 'PROJECT_UPDATED',
              target: { kind: 'Project', id, name: before.name },
              details: {
                fields: changes.map(({ field }) => field),
                ...(owner && { owner: owner.username }),
                ...(fields.visibility && { visibility: fields.visibility }),
              },
            })
          }
          return { project: await tx.project.findUniqueOrThrow({ ...query, where: { id } }), isAboutAccess }
        }),
      )
      if (isAboutAccess) signals.notify(accessTopics.project(project.id))
      return project
    },

    /**
     * Removes a project with its runs, their logs, metrics and artifacts. For its owners.
     *
     * @returns the project as it was
     * @throws NotFoundError, ForbiddenError, ConflictError while one of its runs is active
     */
    async delete(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      requireUser(principal, 'RUN')
      const { ref } = parseInput(DeleteProjectInput, input)
      const { project, projectId, runIds } = await database.transaction(async (tx) => {
        const found = await requireProject(tx, principal, ref, 'OWNER')
        const runs = await tx.run.findMany({ where: { projectId: found.id }, select: RUN_PARTS })
        const active = runs.filter((run) => ACTIVE_STATUSES.some((status) => status === run.status))
        if (active.length > 0) {
          throw new ConflictError(
            `Project ${found.name} has active runs (${active.map((run) => run.name).join(', ')}): cancel them first.`,
          )
        }
        const deployments = await tx.deployment.findMany({
          where: { projectId: found.id },
          select: { name: true },
          take: MOST_NAMED,
        })
        if (deployments.length > 0) {
          throw new ConflictError(
            `Project ${found.name} has deployments (${deployments.map(({ name }) => name).join(', ')}): delete them first.`,
          )
        }
        const project = await tx.project.findUniqueOrThrow({ ...query, where: { id: found.id } })
        await tx.project.delete({ where: { id: found.id } })
        await tx.stream.deleteMany({
          where: { id: { in: runs.flatMap((run) => [run.logStreamId, run.metricStreamId]) } },
        })
        const runIds = runs.map((run) => run.id)
        await tx.deletedRun.createMany({ data: runIds.map((runId) => ({ runId })) })
        await recordEvent(tx, principal, {
          action: 'PROJECT_DELETED',
          target: { kind: 'Project', id: found.id, name: found.name },
          details: { runs: runIds.length },
        })
        return { project, projectId: found.id, runIds }
      })
      await discardRuns(projectId, runIds)
      return project
    },
  }
}

/** How many of what is in the way a message names. */
const MOST_NAMED = 20

const RUN_PARTS = { id: true, name: true, status: true, logStreamId: true, metricStreamId: true } as const

function matching(filter: ProjectFilter | null | undefined): Prisma.ProjectWhereInput {
  if (!filter) return {}
  const { owner, member, visibility, status, tag, search } = filter
  return {
    ...(owner && { owner: byUserRef(owner) }),
    ...(member && { members: { some: { user: byUserRef(member) } } }),
    ...(visibility && { visibility }),
    ...(status && { status }),
    ...(tag && { tags: { some: { value: tag } } }),
    ...(search && {
      OR: [
        { name: { contains: searchText(search) } },
        { description: { contains: searchText(search) } },
        { objective: { contains: searchText(search) } },
      ],
    }),
  }
}
