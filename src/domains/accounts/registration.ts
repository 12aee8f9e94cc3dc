import { z } from 'zod'
import type { Database } from '../../db/database.ts'
import { ConflictError, ForbiddenError, ValidationError } from '../../errors.ts'
import { newId } from '../../ids.ts'
import { clientOf } from '../../network.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import type { InvitationService, Registration } from './invitations.ts'
import { createLimit } from './limit.ts'
import { EmailInput, UsernameInput } from './names.ts'
import { NewPasswordInput, type Passwords } from './passwords.ts'
import type { Origin } from './principal.ts'
import { ADMINISTRATOR } from './service.ts'
import { beginnerOf, type SessionService, type StartedSession } from './sessions.ts'

/**
 * How many registrations without an invitation may be tried from one address in ten minutes. Each tells whether a
 * name is taken, which cannot be kept from whoever may choose one.
 */
const LIMIT_PER_ADDRESS = { points: 20, seconds: 600, refusal: 'Too many registrations from here' }

/** What the service for registration needs. */
export interface RegistrationDependencies {
  database: Database
  sessions: SessionService
  passwords: Passwords
  invitations: InvitationService
  registration: Registration
  now?: () => Date
}

/** How people make accounts of their own. */
export function createRegistrationService(deps: RegistrationDependencies) {
  const { database, sessions, passwords, invitations, registration, now = () => new Date() } = deps
  const addresses = createLimit(LIMIT_PER_ADDRESS)

  return {
    /**
     * Makes an account and signs in.
     *
     * @throws ForbiddenError when registration is off
     * @throws ValidationError, also when the invitation is missing or no longer good
     * @throws ConflictError when the username or the address is taken; which of them is not told
     * @throws UnavailableError after too many tries
     */
    async register(origin: Origin, input: unknown): Promise<StartedSession> {
      if (registration === 'off') throw new ForbiddenError('Nobody can register at this server.')
      const { username, email, password, invitationToken } = parseInput(RegisterInput, input)
      if (registration === 'invitation' && !invitationToken) {
        throw ValidationError.at('invitationToken', 'Registration takes an invitation.')
      }
      const givenEmail = email ?? null
      if (invitationToken) {
        // Before the hash of the password, which costs more than whoever has no invitation is worth.
        await invitations.findOpen(database.prisma, invitationToken, givenEmail)
      } else {
        await addresses.check(clientOf(origin.address))
        await addresses.count(clientOf(origin.address))
      }
      const passwordHash = await passwords.hash(password)
      const session = await database.transaction(async (tx) => {
        const invitation = invitationToken
          ? await invitations.findOpen(tx, invitationToken, givenEmail)
          : null
        const address = givenEmail ?? invitation?.email ?? null
        const others = await tx.user.count({
          where: { OR: [{ username }, ...(address === null ? [] : [{ email: address }])] },
        })
        if (others > 0 || username === ADMINISTRATOR) {
          throw new ConflictError('The username or the address belongs to another account.')
        }
        const user = await tx.user.create({
          data: {
            id: newId('User'),
            username,
            email: address,
            passwordHash,
            role: invitation?.role ?? 'MEMBER',
            preferences: {},
            createdAt: now(),
            lastLoginAt: now(),
          },
        })
        if (invitation) await invitations.accept(tx, invitation, user.id)
        const started = await sessions.start(tx, user, origin)
        await recordEvent(tx, beginnerOf(started, user, origin), {
          action: 'USER_REGISTERED',
          target: { kind: 'User', id: user.id, name: username },
          details: { invitationId: invitation?.id ?? null },
        })
        return started
      })
      return sessions.issue(session)
    },
  }
}

const RegisterInput = z.object({
  email: EmailInput.nullish(),
  username: UsernameInput,
  password: NewPasswordInput,
  invitationToken: z.string().max(200).nullish(),
})
