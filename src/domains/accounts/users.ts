import type { Database } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import type { Prisma, User } from '../../generated/prisma/client.ts'
import { searchText } from '../../search-text.ts'
import { byUserRef, type UserQuery } from './names.ts'
import {
  isAdministrator,
  type Principal,
  type Role,
  requireAdministrator,
  requirePerson,
  requireUser,
} from './principal.ts'

/** Which accounts a list shows; unset parts do not restrict. */
export interface UserFilter {
  search?: string | null
  role?: Role | null
  active?: boolean | null
}

type UserListQuery = Pick<Prisma.UserFindManyArgs, 'include' | 'select' | 'cursor' | 'take' | 'skip'>

/** What people see of each other. */
export function createUserService({ database: { prisma } }: { database: Database }) {
  return {
    /**
     * A person by id or username; null when there is none. Everybody may look up everybody, to share a project
     * with them, and the authors of what there is, after their accounts were deleted too.
     */
    async find(principal: Principal, ref: string, query: UserQuery = {}): Promise<User | null> {
      requireUser(principal, 'READ')
      return prisma.user.findUnique({ ...query, where: byUserRef(ref) })
    },

    /** The accounts that match, the latest first. @throws ForbiddenError */
    async list(
      principal: Principal,
      filter: UserFilter | null | undefined,
      query: UserListQuery = {},
    ): Promise<User[]> {
      requireAdministrator(principal)
      return prisma.user.findMany(latestFirst(query, matching(filter)))
    },

    async count(principal: Principal, filter: UserFilter | null | undefined): Promise<number> {
      requireAdministrator(principal)
      return prisma.user.count({ where: matching(filter) })
    },
  }
}

/**
 * Whether somebody may see that there is this person. Whoever signs in sees themselves before they are signed in;
 * the process of a run sees nobody.
 *
 * @throws ForbiddenError
 */
export function requireSightOf(principal: Principal | null, userId: string): void {
  if (principal === null) return
  const { userId: ownId, mustChangePassword } = requirePerson(principal)
  if (!mustChangePassword || ownId !== userId) requireUser(principal, 'READ')
}

/** Whether somebody may see what only a person themselves and administrators see of an account. */
export function seesPrivately(principal: Principal | null, userId: string): boolean {
  if (principal === null || isAdministrator(principal)) return true
  return principal.kind === 'user' && principal.userId === userId
}

function matching(filter: UserFilter | null | undefined): Prisma.UserWhereInput {
  const { search, role, active } = filter ?? {}
  return {
    deletedAt: null,
    ...(role && { role }),
    ...(typeof active === 'boolean' && { deactivatedAt: active ? null : { not: null } }),
    ...(search && {
      OR: [{ username: { contains: searchText(search) } }, { email: { contains: searchText(search) } }],
    }),
  }
}
