import { z } from 'zod'
import type { Transaction } from '../../db/database.ts'
import { ConflictError, NotFoundError, ValidationError } from '../../errors.ts'
import type { Prisma, User } from '../../generated/prisma/client.ts'
import { kindOfId } from '../../ids.ts'

/** How Pothos asks for an account. */
export type UserQuery = { include?: Prisma.UserInclude; select?: Prisma.UserSelect }

/** A name or address as people type it, in the form in which it is stored. */
const typed = z
  .string()
  .trim()
  .toLowerCase()
  .min(1, 'Must not be empty.')
  .max(320, 'Must have at most 320 characters.')

/** The name to sign in with, or the email address. */
export const LoginNameInput = typed

/** The name of a new account. */
export const UsernameInput = z
  .string()
  .trim()
  .toLowerCase()
  .regex(
    /^[a-z0-9][a-z0-9._-]{0,62}$/,
    'Must have at most 63 letters, digits, dots, hyphens and underscores, and begin with a letter or digit.',
  )
  .refine((name) => kindOfId(name) === null, 'Must not look like an id.')

/** The address of an account. */
export const EmailInput = typed.pipe(z.email('Must be an email address.'))

/** An account by its id or username. */
export const UserRefInput = typed

/** How an account is found by what a person calls it. */
export function byUserRef(ref: string): { id: string } | { username: string } {
  return kindOfId(ref) === 'User' ? { id: ref } : { username: ref.trim().toLowerCase() }
}

/** An account that was not deleted, by its id or username. @throws NotFoundError */
export async function findAccount(tx: Transaction, ref: string): Promise<User> {
  const user = await tx.user.findFirst({ where: { ...byUserRef(ref), deletedAt: null } })
  if (user) return user
  throw new NotFoundError('user', ref)
}

/**
 * Sees to it that no other account has the username or the address.
 *
 * @throws ConflictError
 */
export async function refuseTaken(
  tx: Transaction,
  { username, email }: { username?: string | undefined; email?: string | null | undefined },
  ownId: string | null,
): Promise<void> {
  const others = ownId === null ? {} : { id: { not: ownId } }
  if (username !== undefined && (await tx.user.count({ where: { username, ...others } })) > 0) {
    throw new ConflictError(`There is already an account with the username ${JSON.stringify(username)}.`)
  }
  if (email && (await tx.user.count({ where: { email, ...others } })) > 0) {
    throw new ConflictError(`There is already an account with the address ${JSON.stringify(email)}.`)
  }
}

/** The answer to a wrong current password. */
export function wrongPassword(): ValidationError {
  return ValidationError.at('currentPassword', 'This is not the current password.')
}
