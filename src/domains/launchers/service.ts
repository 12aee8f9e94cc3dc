import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError } from '../../errors.ts'
import type { Launcher, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import { isAdministrator, type Principal, requireAdministrator, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { byIdOrName, refuseTakenName } from '../names.ts'
import { ACTIVE_STATUSES } from '../runs/status.ts'
import { requireLauncher } from './choice.ts'
import { openEnvironment, sealEnvironment, type Variables } from './environment.ts'
import { CreateLauncherInput, DeleteLauncherInput, UpdateLauncherInput } from './inputs.ts'

type LauncherQuery = { include?: Prisma.LauncherInclude; select?: Prisma.LauncherSelect }
type LauncherListQuery = Pick<Prisma.LauncherFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What the launcher service needs. */
export interface LauncherDependencies {
  database: Database
  /** For environments, whose values may be secrets. */
  sealer: Sealer
  now?: () => Date
}

export type LauncherService = ReturnType<typeof createLauncherService>

/** Commands that administrators define and everybody may choose for their projects. */
export function createLauncherService({ database, sealer, now = () => new Date() }: LauncherDependencies) {
  const { prisma } = database

  return {
    /** A launcher by id or name; null when there is none. */
    async find(principal: Principal, ref: string, query: LauncherQuery = {}): Promise<Launcher | null> {
      requireUser(principal, 'READ')
      return prisma.launcher.findFirst({ ...query, where: byIdOrName('Launcher', ref) })
    },

    /** All launchers, newest first. */
    async list(principal: Principal, query: LauncherListQuery = {}): Promise<Launcher[]> {
      requireUser(principal, 'READ')
      return prisma.launcher.findMany(latestFirst(query, {}))
    },

    async count(principal: Principal): Promise<number> {
      requireUser(principal, 'READ')
      return prisma.launcher.count()
    },

    /** The environment of a launcher with its values, for administrators; null for others. */
    environmentOf(principal: Principal, launcher: Launcher): Variables | null {
      return isAdministrator(principal) ? openEnvironment(sealer, launcher) : null
    },

    /** @throws ForbiddenError but for administrators, ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown, query: LauncherQuery = {}): Promise<Launcher> {
      const { userId } = requireAdministrator(principal)
      const { environment, ...fields } = parseInput(CreateLauncherInput, input)
      const id = newId('Launcher')
      return refuseTakenName('a launcher', fields.name, () =>
        database.transaction(async (tx) => {
          await tx.launcher.create({
            data: {
              ...fields,
              ...sealEnvironment(sealer, id, environment),
              id,
              createdById: userId,
              createdAt: now(),
              updatedAt: now(),
            },
          })
          await recordEvent(tx, principal, {
            action: 'LAUNCHER_CREATED',
            target: { kind: 'Launcher', id, name: fields.name },
            details: { command: fields.command, environmentNames: Object.keys(environment) },
          })
          return tx.launcher.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
    },

    /**
     * Changes the fields that are given. Runs that are queued keep their command, and get the environment and
     * working directory as they are when they start.
     *
     * @throws ForbiddenError but for administrators, NotFoundError, ValidationError, ConflictError
     */
    async update(principal: Principal, input: unknown, query: LauncherQuery = {}): Promise<Launcher> {
      requireAdministrator(principal)
      const { ref, environment, ...fields } = parseInput(UpdateLauncherInput, input)
      return refuseTakenName('a launcher', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const { id, name } = await requireLauncher(tx, ref)
          await tx.launcher.update({
            where: { id },
            data: {
              ...fields,
              ...(environment && sealEnvironment(sealer, id, environment)),
              updatedAt: now(),
            },
          })
          await recordEvent(tx, principal, {
            action: 'LAUNCHER_UPDATED',
            target: { kind: 'Launcher', id, name },
            details: {
              ...(fields.command && { command: fields.command }),
              ...(environment && { environmentNames: Object.keys(environment) }),
            },
          })
          return tx.launcher.findUniqueOrThrow({ ...query, where: { id } })
        }),
      )
    },

    /**
     * Removes a launcher that nothing uses.
     *
     * @returns the launcher as it was
     * @throws ForbiddenError but for administrators, NotFoundError, ConflictError while projects, or runs that are
     *   not over, use it
     */
    async delete(principal: Principal, input: unknown, query: LauncherQuery = {}): Promise<Launcher> {
      requireAdministrator(principal)
      const { ref } = parseInput(DeleteLauncherInput, input)
      return database.transaction(async (tx) => {
        const { id, name } = await requireLauncher(tx, ref)
        const uses = { where: { launcherId: id }, select: { name: true }, take: 20 }
        const projects = await tx.project.findMany(uses)
        if (projects.length > 0) {
          const names = projects.map((project) => project.name).join(', ')
          throw new ConflictError(
            `Launcher ${name} is used by projects (${names}): let them choose another first.`,
          )
        }
        const active = await tx.run.count({ where: { launcherId: id, status: { in: ACTIVE_STATUSES } } })
        if (active > 0)
          throw new ConflictError(`Launcher ${name} is used by ${active} runs that are not over.`)
        const launcher = await tx.launcher.findUniqueOrThrow({ ...query, where: { id } })
        await tx.launcher.delete({ where: { id } })
        await recordEvent(tx, principal, {
          action: 'LAUNCHER_DELETED',
          target: { kind: 'Launcher', id, name },
        })
        return launcher
      })
    },
  }
}
