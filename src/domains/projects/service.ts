import { z } from 'zod'
import { type Database, isUniqueViolation, type Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError, NotFoundError } from '../../errors.ts'
import type { Prisma, Project, ProjectVersion } from '../../generated/prisma/client.ts'
import { kindOfId, newId } from '../../ids.ts'
import { searchText } from '../../search-text.ts'
import { type Principal, requireUser } from '../accounts/principal.ts'
import { JsonObjectInput, NameInput, parseInput, TextInput } from '../input.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import { changesBetween, type FieldChange } from './changes.ts'
import { PROJECT_STATUSES, type ProjectStatus } from './status.ts'

/** What a project runs unless it says otherwise. */
export const DEFAULT_COMMAND = ['bash', 'run_train_full_sft.sh', '{config}']

/** Which projects a list shows; unset parts do not restrict. */
export interface ProjectFilter {
  owner?: string | null
  status?: ProjectStatus | null
  tag?: string | null
  search?: string | null
}

type ProjectQuery = { include?: Prisma.ProjectInclude; select?: Prisma.ProjectSelect }
type ProjectListQuery = Pick<Prisma.ProjectFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What the project service needs. */
export interface ProjectDependencies {
  database: Database
  /** Removes what the runs of a project left on disk; called after all rows are gone. */
  discardRuns: (projectId: string, runIds: string[]) => Promise<void>
  now?: () => Date
}

export type ProjectService = ReturnType<typeof createProjectService>

/** Projects: what is trained, with which command, dataset and defaults, and who changed that when. */
export function createProjectService({ database, discardRuns, now = () => new Date() }: ProjectDependencies) {
  const { prisma } = database

  return {
    /** A project by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: ProjectQuery = {}): Promise<Project | null> {
      requireUser(principal, 'READ')
      return prisma.project.findUnique({ ...query, where: byRef(ref) })
    },

    /** Projects that match, newest first. */
    async list(
      principal: Principal,
      filter: ProjectFilter | null | undefined,
      query: ProjectListQuery = {},
    ): Promise<Project[]> {
      requireUser(principal, 'READ')
      return prisma.project.findMany(latestFirst(query, matching(filter)))
    },

    async count(principal: Principal, filter: ProjectFilter | null | undefined): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.project.count({ where: matching(filter) })
    },

    /** @throws ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      const { userId } = requireUser(principal, 'RUN')
      const { tags, ...fields } = parseInput(CreateProjectInput, input)
      const id = newId('Project')
      return refuseTakenName(fields.name, () =>
        database.transaction(async (tx) => {
          await tx.project.create({
            data: {
              ...fields,
              id,
              ownerId: userId,
              createdAt: now(),
              updatedAt: now(),
              tags: { create: tags.map((value, position) => ({ value, position })) },
            },
          })
          await addVersion(tx, id, 1, userId, changesBetween({}, { ...fields, tags }))
          return tx.project.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
    },

    /** Changes the fields that are given and leaves the others. @throws NotFoundError, ValidationError, ConflictError */
    async update(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      const { userId } = requireUser(principal, 'RUN')
      const { ref, tags, ...fields } = parseInput(UpdateProjectInput, input)
      return refuseTakenName(fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const before = await tx.project.findFirst({
            where: byRef(ref),
            include: {
              tags: { orderBy: { position: 'asc' } },
              versions: { orderBy: { number: 'desc' }, take: 1 },
            },
          })
          if (!before) throw new NotFoundError('project', ref)
          const changes = changesBetween(
            { ...before, tags: before.tags.map((tag) => tag.value) },
            tags === undefined ? fields : { ...fields, tags },
          )
          if (changes.length > 0) {
            await tx.project.update({
              where: { id: before.id },
              data: {
                ...fields,
                updatedAt: now(),
                ...(tags && {
                  tags: { deleteMany: {}, create: tags.map((value, position) => ({ value, position })) },
                }),
              },
            })
            await addVersion(tx, before.id, (before.versions[0]?.number ?? 0) + 1, userId, changes)
          }
          return tx.project.findUniqueOrThrow({ ...query, where: { id: before.id } })
        }),
      )
    },

    /**
     * Removes a project with its runs, their logs, metrics and artifacts.
     *
     * @returns the project as it was
     * @throws NotFoundError, ConflictError while one of its runs is active
     */
    async delete(principal: Principal, input: unknown, query: ProjectQuery = {}): Promise<Project> {
      requireUser(principal, 'RUN')
      const { ref } = parseInput(DeleteProjectInput, input)
      const { project, projectId, runIds } = await database.transaction(async (tx) => {
        const found = await tx.project.findFirst({
          where: byRef(ref),
          select: { id: true, name: true, runs: { select: RUN_PARTS } },
        })
        if (!found) throw new NotFoundError('project', ref)
        const active = found.runs.filter((run) => ACTIVE_STATUSES.some((status) => status === run.status))
        if (active.length > 0) {
          throw new ConflictError(
            `Project ${found.name} has active runs (${active.map((run) => run.name).join(', ')}): cancel them first.`,
          )
        }
        const project = await tx.project.findUniqueOrThrow({ ...query, where: { id: found.id } })
        await tx.project.delete({ where: { id: found.id } })
        await tx.stream.deleteMany({
          where: { id: { in: found.runs.flatMap((run) => [run.logStreamId, run.metricStreamId]) } },
        })
        const runIds = found.runs.map((run) => run.id)
        await tx.deletedRun.createMany({ data: runIds.map((runId) => ({ runId })) })
        return { project, projectId: found.id, runIds }
      })
      await discardRuns(projectId, runIds)
      return project
    },
  }

  async function addVersion(
    tx: Transaction,
    projectId: string,
    number: number,
    changedById: string,
    changes: FieldChange[],
  ): Promise<ProjectVersion> {
    return tx.projectVersion.create({
      data: {
        id: newId('ProjectVersion'),
        projectId,
        number,
        changedById,
        createdAt: now(),
        changes: changes.map((change) => ({ ...change })),
      },
    })
  }
}

const RUN_PARTS = { id: true, name: true, status: true, logStreamId: true, metricStreamId: true } as const

/** How a project is found by what a person calls it: its id, or its name. */
export function byRef(ref: string): { id: string } | { name: string } {
  return kindOfId(ref) === 'Project' ? { id: ref } : { name: ref }
}

function matching(filter: ProjectFilter | null | undefined): Prisma.ProjectWhereInput {
  if (!filter) return {}
  const { owner, status, tag, search } = filter
  return {
    ...(owner && { owner: kindOfId(owner) === 'User' ? { id: owner } : { username: owner } }),
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

async function refuseTakenName<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isUniqueViolation(error))
      throw new ConflictError(`There is already a project named ${JSON.stringify(name)}.`)
    throw error
  }
}

const ArgvInput = z
  .array(z.string().refine((element) => !element.includes('\0'), 'Must not contain NUL.'))
  .max(1000, 'Must have at most 1000 elements.')

const TagsInput = z
  .array(NameInput)
  .max(100, 'Must have at most 100 tags.')
  .transform((tags) => [...new Set(tags)])

const Command = ArgvInput.refine(
  (argv) => (argv[0] ?? '') !== '',
  'Must name a program in its first element.',
)

const optionalName = NameInput.nullish().transform((value) => value || null)
const optionalText = TextInput.nullish().transform((value) => value ?? null)
const workingDirectory = z
  .string()
  .startsWith('/', 'Must be an absolute path.')
  .nullish()
  .transform((value) => value ?? null)

const ProjectName = NameInput.refine((name) => kindOfId(name) === null, 'Must not look like an id.')

const CreateProjectInput = z.object({
  name: ProjectName,
  description: optionalText,
  objective: optionalText,
  taskType: optionalName,
  baseModel: optionalText,
  tags: TagsInput.nullish().transform((value) => value ?? []),
  defaultHyperparameters: JsonObjectInput.nullish().transform((value) => value ?? {}),
  datasetName: optionalName,
  trainConfigName: optionalName,
  command: Command.nullish().transform((value) => value ?? DEFAULT_COMMAND),
  resumeArgs: ArgvInput.nullish().transform((value) => value ?? []),
  workingDirectory,
  status: z
    .enum(PROJECT_STATUSES)
    .nullish()
    .transform((value) => value ?? 'DRAFT'),
})

/** A field that may be left out, and that null empties. */
function orEmpty<Schema extends z.ZodType>(schema: Schema, empty: z.output<Schema>) {
  return schema
    .nullable()
    .transform((value) => value ?? empty)
    .optional()
}

/** Leaves a field that is not given alone; null empties one that can be empty and is refused for the others. */
const UpdateProjectInput = z.object({
  ref: z.string(),
  name: ProjectName.optional(),
  description: TextInput.nullable().optional(),
  objective: TextInput.nullable().optional(),
  taskType: NameInput.nullable().optional(),
  baseModel: TextInput.nullable().optional(),
  tags: orEmpty(TagsInput, []),
  defaultHyperparameters: orEmpty(JsonObjectInput, {}),
  datasetName: NameInput.nullable().optional(),
  trainConfigName: NameInput.nullable().optional(),
  command: Command.optional(),
  resumeArgs: orEmpty(ArgvInput, []),
  workingDirectory: z.string().startsWith('/', 'Must be an absolute path.').nullable().optional(),
  status: z.enum(PROJECT_STATUSES).optional(),
})

const DeleteProjectInput = z.object({ ref: z.string() })
