import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, ForbiddenError } from '../../errors.ts'
import type { User } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import type { Signals } from '../../streams/signals.ts'
import { type AuditAction, recordEvent } from '../audit/record.ts'
import { type JsonObject, parseInput } from '../input.ts'
import { handOver } from './hand-over.ts'
import { EmailInput, findAccount, refuseTaken, UsernameInput, type UserQuery, UserRefInput } from './names.ts'
import type { NewPasswordReset, PasswordResetService } from './password-resets.ts'
import { NewPasswordInput, type Passwords, UNUSABLE_PASSWORD } from './passwords.ts'
import { type Principal, ROLES, requireAdministrator, requireSignInOver } from './principal.ts'
import { accountTopics } from './topics.ts'

/** A new account; the link exists only here, and only when no password was given. */
export type NewUser = User & { passwordReset: NewPasswordReset | null }

/** The link of an account that was made just now; null for all others. */
export function linkOf(user: User | NewUser): NewPasswordReset | null {
  return 'passwordReset' in user ? user.passwordReset : null
}

/** What the service for administrators needs. */
export interface UserAdministrationDependencies {
  database: Database
  signals: Signals
  passwords: Passwords
  passwordResets: PasswordResetService
  now?: () => Date
}

/**
 * What administrators do with accounts; with those of administrators by a sign-in only. None of it with their own: so there is always one administrator left,
 * whatever several of them do at once, because each change looks first whether who makes it still is one.
 */
export function createUserAdministrationService(deps: UserAdministrationDependencies) {
  const { database, signals, passwords, passwordResets, now = () => new Date() } = deps

  /** Changes an account in one transaction, and closes what hangs on rights that it had. */
  async function change<T>(
    principal: Principal,
    ref: string,
    work: (tx: Transaction, user: User) => Promise<T>,
  ): Promise<T> {
    requireAdministrator(principal)
    const { result, userId } = await database.transaction(async (tx) => {
      await requireActing(tx, principal)
      const user = await findAccount(tx, ref)
      requireSignInOver(principal, user.role)
      return { result: await work(tx, user), userId: user.id }
    })
    signals.notify(accountTopics.rights, userId)
    return result
  }

  const note = (
    tx: Transaction,
    principal: Principal,
    user: User,
    action: AuditAction,
    details?: JsonObject,
  ) =>
    recordEvent(tx, principal, {
      action,
      target: { kind: 'User', id: user.id, name: user.username },
      ...(details && { details }),
    })

  return {
    /**
     * Makes an account. With a password the person must set one of their own at once; without, a link does it.
     *
     * @throws ValidationError, ConflictError, ForbiddenError
     */
    async create(principal: Principal, input: unknown, query: UserQuery = {}): Promise<NewUser> {
      requireAdministrator(principal)
      const { username, email, password, role } = parseInput(CreateUserInput, input)
      requireSignInOver(principal, role)
      const passwordHash = password ? await passwords.hash(password) : UNUSABLE_PASSWORD
      return database.transaction(async (tx) => {
        await requireActing(tx, principal)
        await refuseTaken(tx, { username, email }, null)
        const user = await tx.user.create({
          data: {
            id: newId('User'),
            username,
            email: email ?? null,
            role: role ?? 'MEMBER',
            preferences: {},
            createdAt: now(),
            passwordHash,
            mustChangePassword: Boolean(password),
          },
        })
        await note(tx, principal, user, 'USER_CREATED', { role: user.role })
        const passwordReset = password ? null : await passwordResets.issue(tx, principal, user)
        const made = await tx.user.findUniqueOrThrow({ ...query, where: { id: user.id } })
        return { ...made, passwordReset }
      })
    },

    /**
     * Changes role, address or username. A new role ends all sign-ins of the person.
     *
     * @throws ValidationError, NotFoundError, ConflictError, ForbiddenError
     */
    async update(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const { user: ref, role, email, username } = parseInput(UpdateUserInput, input)
      requireSignInOver(principal, role)
      return change(principal, ref, async (tx, user) => {
        await refuseTaken(tx, { username, email }, user.id)
        const isNewRole = role !== undefined && role !== user.role
        if (isNewRole) {
          refuseOwn(principal, user, 'change the role of')
          await tx.userSession.deleteMany({ where: { userId: user.id } })
          await withdrawInvitations(tx, principal, user.id)
          await note(tx, principal, user, 'USER_ROLE_CHANGED', { from: user.role, to: role })
        }
        const given = {
          ...(email !== undefined && { email }),
          ...(username !== undefined && { username }),
        }
        if (Object.keys(given).length > 0) await note(tx, principal, user, 'USER_UPDATED', given)
        // Links that went to the former address are not good any more.
        if (email !== undefined) await tx.passwordReset.deleteMany({ where: { userId: user.id } })
        await tx.user.update({ where: { id: user.id }, data: { ...given, ...(isNewRole && { role }) } })
        return tx.user.findUniqueOrThrow({ ...query, where: { id: user.id } })
      })
    },

    /** Shuts an account: its sign-ins end, its tokens do not count. @throws NotFoundError, ConflictError, ForbiddenError */
    async deactivate(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const { user: ref } = parseInput(UserInput, input)
      return change(principal, ref, async (tx, user) => {
        refuseOwn(principal, user, 'deactivate')
        if (!user.deactivatedAt) {
          await tx.user.update({ where: { id: user.id }, data: { deactivatedAt: now() } })
          await tx.userSession.deleteMany({ where: { userId: user.id } })
          await tx.passwordReset.deleteMany({ where: { userId: user.id } })
          await withdrawInvitations(tx, principal, user.id)
          await note(tx, principal, user, 'USER_DEACTIVATED')
        }
        return tx.user.findUniqueOrThrow({ ...query, where: { id: user.id } })
      })
    },

    /** Opens an account again, with the password and the tokens that it had. @throws NotFoundError, ForbiddenError */
    async reactivate(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const { user: ref } = parseInput(UserInput, input)
      return change(principal, ref, async (tx, user) => {
        if (user.deactivatedAt) {
          await tx.user.update({ where: { id: user.id }, data: { deactivatedAt: null } })
          await note(tx, principal, user, 'USER_REACTIVATED')
        }
        return tx.user.findUniqueOrThrow({ ...query, where: { id: user.id } })
      })
    },

    /**
     * Deletes an account: what it owns goes to somebody else, all that opens it goes away, and what remains is the
     * author of runs and versions. Its name and address can be used again.
     *
     * @returns what remains
     * @throws ValidationError, NotFoundError, ConflictError, ForbiddenError
     */
    async delete(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const { user: ref, transferTo } = parseInput(DeleteUserInput, input)
      const { userId: actingId } = requireAdministrator(principal)
      return change(principal, ref, async (tx, user) => {
        refuseOwn(principal, user, 'delete')
        const heir = await findAccount(tx, transferTo ?? actingId)
        if (heir.id === user.id || heir.deactivatedAt) {
          throw new ConflictError(`Nothing can be transferred to ${heir.username}: name an active account.`)
        }
        const transferred = await handOver(tx, { from: user.id, to: heir.id, at: now() })
        await tx.userSession.deleteMany({ where: { userId: user.id } })
        // The processes of runs report on: their tokens end with them.
        await tx.apiToken.deleteMany({ where: { userId: user.id, runId: null } })
        await tx.passwordReset.deleteMany({ where: { userId: user.id } })
        await withdrawInvitations(tx, principal, user.id)
        await note(tx, principal, user, 'USER_DELETED', { transferredTo: heir.username, ...transferred })
        await tx.user.update({
          where: { id: user.id },
          data: {
            username: `deleted:${user.id}`,
            email: null,
            passwordHash: UNUSABLE_PASSWORD,
            configuredPasswordHash: null,
            mustChangePassword: false,
            role: 'MEMBER',
            preferences: {},
            deactivatedAt: user.deactivatedAt ?? now(),
            deletedAt: now(),
          },
        })
        return tx.user.findUniqueOrThrow({ ...query, where: { id: user.id } })
      })
    },
  }
}

/** Looks whether who asks is an administrator at this very moment. @throws ForbiddenError */
async function requireActing(tx: Transaction, principal: Principal): Promise<void> {
  const { userId: id } = requireAdministrator(principal)
  const isActing = (await tx.user.count({ where: { id, role: 'ADMIN', deactivatedAt: null } })) > 0
  if (!isActing) throw new ForbiddenError('This is for administrators only.')
}

function refuseOwn(principal: Principal, user: User, what: string): void {
  if (principal.kind === 'user' && principal.userId === user.id) {
    throw new ConflictError(`Nobody can ${what} their own account: another administrator has to.`)
  }
}

/** Whoever is no administrator any more must not let others in. */
async function withdrawInvitations(tx: Transaction, principal: Principal, userId: string): Promise<void> {
  const open = { invitedById: userId, acceptedAt: null }
  const withdrawn = await tx.invitation.findMany({ where: open, select: { id: true, email: true } })
  await tx.invitation.deleteMany({ where: open })
  for (const { id, email } of withdrawn) {
    await recordEvent(tx, principal, {
      action: 'INVITATION_REVOKED',
      target: { kind: 'Invitation', id, name: email ?? '' },
    })
  }
}

const CreateUserInput = z.object({
  username: UsernameInput,
  email: EmailInput.nullish(),
  password: NewPasswordInput.nullish(),
  role: z.enum(ROLES).nullish(),
})

const UpdateUserInput = z.object({
  user: UserRefInput,
  role: z.enum(ROLES).optional(),
  email: EmailInput.nullable().optional(),
  username: UsernameInput.optional(),
})

const UserInput = z.object({ user: UserRefInput })

const DeleteUserInput = z.object({ user: UserRefInput, transferTo: UserRefInput.nullish() })
