import { z } from 'zod'
import type { Database } from '../../db/database.ts'
import { ForbiddenError, ValidationError } from '../../errors.ts'
import type { User } from '../../generated/prisma/client.ts'
import type { Signals } from '../../streams/signals.ts'
import { recordEvent } from '../audit/record.ts'
import { mergeObjects, parseInput, storedObject } from '../input.ts'
import type { Attempts } from './attempts.ts'
import { EmailInput, refuseTaken, type UserQuery, wrongPassword } from './names.ts'
import { NewPasswordInput, PasswordInput, type Passwords } from './passwords.ts'
import { LOCALES, type Principal, requireSignIn, requireUser, type UserPrincipal } from './principal.ts'
import { accountTopics } from './topics.ts'

/** How the user interface looks. */
export const THEMES = ['SYSTEM', 'LIGHT', 'DARK'] as const
export type Theme = (typeof THEMES)[number]

/** What the service for one's own account needs. */
export interface OwnAccountDependencies {
  database: Database
  signals: Signals
  passwords: Passwords
  attempts: Attempts
}

/** What people change of their own accounts. */
export function createOwnAccountService({ database, signals, passwords, attempts }: OwnAccountDependencies) {
  /** The account of who asks, once they have shown that they know its password. @throws ValidationError */
  async function confirm(person: UserPrincipal, currentPassword: string): Promise<User> {
    const user = await database.prisma.user.findUniqueOrThrow({ where: { id: person.userId } })
    const attempt = { account: user.id, address: person.origin.address }
    const isRight = await attempts.try(attempt, () => passwords.matches(user.passwordHash, currentPassword))
    if (!isRight) throw ValidationError.at('currentPassword', 'This is not the current password.')
    return user
  }

  return {
    /**
     * Sets a new password. All other sign-ins end, and so do links that would set another.
     *
     * @throws ValidationError, ForbiddenError for API tokens, UnavailableError after too many wrong passwords
     */
    async changePassword(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const person = requireSignIn(principal)
      const { currentPassword, newPassword } = parseInput(ChangePasswordInput, input)
      const { id, username, passwordHash: before } = await confirm(person, currentPassword)
      if (newPassword === currentPassword) {
        throw ValidationError.at('newPassword', 'Must differ from the current password.')
      }
      const passwordHash = await passwords.hash(newPassword)
      const changed = await database.transaction(async (tx) => {
        // Who has only just lost the password to somebody else, or the account, does not win it back this way.
        const { count } = await tx.user.updateMany({
          where: { id, passwordHash: before, deactivatedAt: null },
          data: { passwordHash, mustChangePassword: false },
        })
        if (count === 0) throw wrongPassword()
        await tx.userSession.deleteMany({ where: { userId: id, id: { not: person.credential.id } } })
        await tx.passwordReset.deleteMany({ where: { userId: id } })
        await recordEvent(tx, principal, {
          action: 'PASSWORD_CHANGED',
          target: { kind: 'User', id, name: username },
        })
        return tx.user.findUniqueOrThrow({ ...query, where: { id } })
      })
      signals.notify(accountTopics.rights, id)
      return changed
    },

    /** Changes what is given and leaves the rest. @throws ValidationError, ForbiddenError */
    async updatePreferences(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const { userId } = requireUser(principal, 'ADMIN')
      const { theme, language, notifications } = parseInput(UpdatePreferencesInput, input)
      const given = {
        ...(theme && { theme }),
        ...(language && { language }),
        ...(notifications && { notifications: withoutNulls(notifications) }),
      }
      return database.transaction(async (tx) => {
        const { username, preferences } = await tx.user.findUniqueOrThrow({ where: { id: userId } })
        const merged = mergeObjects(storedObject(preferences), given)
        await tx.user.update({ where: { id: userId }, data: { preferences: merged } })
        await recordEvent(tx, principal, {
          action: 'USER_UPDATED',
          target: { kind: 'User', id: userId, name: username },
          details: { preferences: given },
        })
        return tx.user.findUniqueOrThrow({ ...query, where: { id: userId } })
      })
    },

    /**
     * Changes the address, which one can sign in with and get links to: so it takes the password.
     *
     * @throws ValidationError, ConflictError, ForbiddenError, UnavailableError after too many wrong passwords
     */
    async update(principal: Principal, input: unknown, query: UserQuery = {}): Promise<User> {
      const person = requireSignIn(requireUser(principal, 'ADMIN'))
      const { email, currentPassword } = parseInput(UpdateAccountInput, input)
      const { id, username } = await confirm(person, currentPassword)
      return database.transaction(async (tx) => {
        await refuseTaken(tx, { email }, id)
        // Links that went to the former address are not good any more.
        await tx.passwordReset.deleteMany({ where: { userId: id } })
        const { count } = await tx.user.updateMany({ where: { id, deactivatedAt: null }, data: { email } })
        if (count === 0) throw new ForbiddenError('The account was deactivated.')
        await recordEvent(tx, principal, {
          action: 'USER_UPDATED',
          target: { kind: 'User', id, name: username },
          details: { email },
        })
        return tx.user.findUniqueOrThrow({ ...query, where: { id } })
      })
    },
  }
}

function withoutNulls(flags: { [name: string]: boolean | null | undefined }): { [name: string]: boolean } {
  return Object.fromEntries(
    Object.entries(flags).flatMap(([name, flag]) => (typeof flag === 'boolean' ? [[name, flag]] : [])),
  )
}

const ChangePasswordInput = z.object({ currentPassword: PasswordInput, newPassword: NewPasswordInput })

const UpdatePreferencesInput = z.object({
  theme: z.enum(THEMES).nullish(),
  language: z.enum(LOCALES).nullish(),
  notifications: z.object({ runFinished: z.boolean().nullish(), runFailed: z.boolean().nullish() }).nullish(),
})

const UpdateAccountInput = z.object({ email: EmailInput.nullable(), currentPassword: PasswordInput })
