import type { Database } from '../../db/database.ts'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.ts'
import type { Engine } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { enginePurpose } from '../../secrets/sealed-columns.ts'
import type { Sealer } from '../../secrets/sealer.ts'
import { isAdministrator, type Principal, requireAdministrator, requireUser } from '../accounts/principal.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput, storedObject, storedStrings } from '../input.ts'
import { byIdOrName, refuseTakenName } from '../names.ts'
import { BUILT_IN_ENGINES, type EngineTemplate } from './built-in-engines.ts'
import { CreateEngineInput, DeleteEngineInput, UpdateEngineInput } from './inputs.ts'

/** An engine as people see it. */
export interface EngineInfo extends EngineTemplate {
  /** Null for one that is built in. */
  id: string | null
  environmentNames: string[]
  /** What it adds to the environment that model servers inherit; null for those who may not know the values. */
  environment: Record<string, string> | null
}

/** An engine with everything that it takes to start it. */
export type UsableEngine = EngineTemplate & { environment: Record<string, string> }

export type EngineService = ReturnType<typeof createEngineService>

/** The programs that serve models: those that are built in, and those that administrators define. */
export function createEngineService(deps: { database: Database; sealer: Sealer; now?: () => Date }) {
  const { database, sealer, now = () => new Date() } = deps
  const { prisma } = database

  /** What is stored, with its environment for those who may know it. */
  function show(principal: Principal, row: Engine): EngineInfo {
    return {
      ...templateOf(row),
      id: row.id,
      environmentNames: storedStrings(row.environmentNames),
      environment: isAdministrator(principal) ? environmentOf(row) : null,
    }
  }

  function environmentOf({ id, environment }: Engine): Record<string, string> {
    if (environment === null) return {}
    const opened = storedObject(JSON.parse(sealer.open(environment, enginePurpose(id))))
    return Object.fromEntries(Object.entries(opened).map(([name, value]) => [name, String(value)]))
  }

  const seal = (id: string, environment: Record<string, string>) =>
    Object.keys(environment).length === 0 ? null : sealer.seal(JSON.stringify(environment), enginePurpose(id))

  return {
    /** All engines, by name. One that an administrator defined stands for the built-in one of its name. */
    async list(principal: Principal): Promise<EngineInfo[]> {
      requireUser(principal, 'READ')
      const defined = (await prisma.engine.findMany()).map((row) => show(principal, row))
      const builtIn = BUILT_IN_ENGINES.filter(({ name }) => !defined.some((engine) => engine.name === name))
      return [...defined, ...builtIn.map(asBuiltIn)].sort((one, other) => one.name.localeCompare(other.name))
    },

    /** Defines an engine. @throws ForbiddenError, ValidationError, ConflictError when the name is taken */
    async create(principal: Principal, input: unknown): Promise<EngineInfo> {
      const { userId } = requireAdministrator(principal)
      const { environment, healthPath, description, ...fields } = parseInput(CreateEngineInput, input)
      const id = newId('Engine')
      return refuseTakenName('an engine', fields.name, () =>
        database.transaction(async (tx) => {
          const row = await tx.engine.create({
            data: {
              ...fields,
              id,
              description: description ?? null,
              healthPath: healthPath ?? '/health',
              environment: seal(id, environment ?? {}),
              environmentNames: Object.keys(environment ?? {}),
              createdById: userId,
              createdAt: now(),
              updatedAt: now(),
            },
          })
          await recordEvent(tx, principal, { action: 'ENGINE_CREATED', target: targetOf(row) })
          return show(principal, row)
        }),
      )
    },

    /**
     * Changes an engine; model servers that run go on as they were started.
     *
     * @throws ForbiddenError, NotFoundError, ValidationError, ConflictError
     */
    async update(principal: Principal, input: unknown): Promise<EngineInfo> {
      requireAdministrator(principal)
      const { ref, environment, description, healthPath, ...fields } = parseInput(UpdateEngineInput, input)
      return refuseTakenName('an engine', fields.name ?? '', () =>
        database.transaction(async (tx) => {
          const before = await tx.engine.findFirst({ where: byIdOrName('Engine', ref) })
          if (!before) throw new NotFoundError('engine', ref)
          const row = await tx.engine.update({
            where: { id: before.id },
            data: {
              ...fields,
              ...(description !== undefined && { description }),
              ...(healthPath && { healthPath }),
              ...(environment !== undefined && {
                environment: seal(before.id, environment ?? {}),
                environmentNames: Object.keys(environment ?? {}),
              }),
              updatedAt: now(),
            },
          })
          await recordEvent(tx, principal, { action: 'ENGINE_UPDATED', target: targetOf(row) })
          return show(principal, row)
        }),
      )
    },

    /** Removes an engine. @throws ForbiddenError, NotFoundError, ConflictError while deployments use it */
    async delete(principal: Principal, input: unknown): Promise<EngineInfo> {
      requireAdministrator(principal)
      const { ref } = parseInput(DeleteEngineInput, input)
      return database.transaction(async (tx) => {
        const row = await tx.engine.findFirst({ where: byIdOrName('Engine', ref) })
        if (!row) throw new NotFoundError('engine', ref)
        const users = await tx.deployment.findMany({
          where: { engine: row.name },
          select: { name: true },
          take: 20,
        })
        if (users.length > 0 && !isBuiltIn(row.name)) {
          const names = users.map(({ name }) => name).join(', ')
          throw new ConflictError(
            `The engine ${row.name} is in use: delete its deployments first (${names}).`,
          )
        }
        await tx.engine.delete({ where: { id: row.id } })
        await recordEvent(tx, principal, { action: 'ENGINE_DELETED', target: targetOf(row) })
        return show(principal, row)
      })
    },

    /** The engine of a name, to start it. @throws ValidationError at `engine` */
    async use(name: string): Promise<UsableEngine> {
      const row = await prisma.engine.findUnique({ where: { name } })
      if (row) return { ...templateOf(row), environment: environmentOf(row) }
      const builtIn = BUILT_IN_ENGINES.find((engine) => engine.name === name)
      if (builtIn) return { ...builtIn, environment: {} }
      const defined = await prisma.engine.findMany({ select: { name: true }, orderBy: { name: 'asc' } })
      const names = new Set([...BUILT_IN_ENGINES, ...defined].map((engine) => engine.name))
      throw ValidationError.at(
        'engine',
        `There is no engine ${JSON.stringify(name)}; there are ${[...names].join(', ')}.`,
      )
    },
  }
}

function templateOf({ name, description, command, healthPath }: Engine): EngineTemplate {
  return {
    name,
    description,
    command: storedStrings(command),
    healthPath,
    howToInstall: 'An administrator defined this engine: ask for its program to be installed.',
  }
}

function asBuiltIn(template: EngineTemplate): EngineInfo {
  return { ...template, id: null, environmentNames: [], environment: {} }
}

const isBuiltIn = (name: string) => BUILT_IN_ENGINES.some((engine) => engine.name === name)

const targetOf = ({ id, name }: Engine) => ({ kind: 'Engine' as const, id, name })
