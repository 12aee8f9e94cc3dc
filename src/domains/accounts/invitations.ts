import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { latestFirst } from '../../db/pages.ts'
import { ConflictError, NotFoundError, UnavailableError, ValidationError } from '../../errors.ts'
import type { Invitation, Prisma } from '../../generated/prisma/client.ts'
import { newId } from '../../ids.ts'
import { recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import { byIdOrName } from '../names.ts'
import { PROJECT_ROLES } from '../projects/roles.ts'
import type { AccountLink, AccountMail } from './mail.ts'
import { EmailInput } from './names.ts'
import {
  isAdministrator,
  type Principal,
  ROLES,
  requireAdministrator,
  requireSignInOver,
} from './principal.ts'
import { hashSecret, newSecret } from './secrets.ts'

/** How long an invitation is good for. */
const VALID_MINUTES = 7 * 24 * 60

/** An invitation with its secret, which exists only here: the database keeps a hash. */
export type NewInvitation = Invitation & { token: string; url: string }

/** The secret of an invitation that was made just now, and the link with it; null for all others. */
export function secretsOf(invitation: Invitation | NewInvitation): { token: string; url: string } | null {
  return 'token' in invitation ? { token: invitation.token, url: invitation.url } : null
}

type InvitationQuery = { include?: Prisma.InvitationInclude; select?: Prisma.InvitationSelect }
type InvitationListQuery = Pick<
  Prisma.InvitationFindManyArgs,
  'include' | 'select' | 'cursor' | 'take' | 'skip'
>

/** What the service for invitations needs. */
export interface InvitationDependencies {
  database: Database
  link: AccountLink
  /** Null when the server sends no mail. */
  mail: AccountMail | null
  registration: Registration
  now?: () => Date
}

/** Who can make an account: those with an invitation, everybody, or nobody. */
export type Registration = 'invitation' | 'open' | 'off'

export type InvitationService = ReturnType<typeof createInvitationService>

/** Links with which people make accounts of their own. */
export function createInvitationService(deps: InvitationDependencies) {
  const { database, link, mail, registration, now = () => new Date() } = deps
  const { prisma } = database

  return {
    /**
     * Invites somebody. The letter goes out before the invitation is there, so there is none that a letter failed for.
     *
     * @throws ValidationError, NotFoundError, ConflictError when registration is off, UnavailableError when the
     *   letter cannot be sent
     */
    async create(principal: Principal, input: unknown, query: InvitationQuery = {}): Promise<NewInvitation> {
      const { userId, username } = requireAdministrator(principal)
      const { email, role, project, projectRole, sendMail } = parseInput(CreateInvitationInput, input)
      requireSignInOver(principal, role)
      if (registration === 'off') {
        throw new ConflictError(
          'Nobody can register at this server (TRAINYARD_REGISTRATION): use createUser.',
        )
      }
      const found = project ? await findProject(project) : null
      const secret = newSecret('invitation')
      const url = link('accept-invitation', secret)
      if (sendMail) await send(email, url, username)
      const invitation = await database.transaction(async (tx) => {
        const made = await tx.invitation.create({
          ...query,
          data: {
            id: newId('Invitation'),
            secretHash: hashSecret(secret),
            email: email ?? null,
            role: role ?? 'MEMBER',
            projectId: found?.id ?? null,
            projectRole: found ? (projectRole ?? 'VIEWER') : null,
            invitedById: userId,
            createdAt: now(),
            expiresAt: new Date(now().getTime() + VALID_MINUTES * 60_000),
          },
        })
        await recordEvent(tx, principal, {
          action: 'INVITATION_CREATED',
          target: { kind: 'Invitation', id: made.id, name: made.email ?? '' },
          details: { role: made.role, project: found?.name ?? null, projectRole: made.projectRole },
        })
        return made
      })
      return { ...invitation, token: secret, url }
    },

    /** Takes an invitation back. @returns it as it was. @throws NotFoundError, ConflictError when it was accepted */
    async revoke(principal: Principal, input: unknown, query: InvitationQuery = {}): Promise<Invitation> {
      requireAdministrator(principal)
      const { invitationId: id } = parseInput(RevokeInvitationInput, input)
      return database.transaction(async (tx) => {
        const invitation = await tx.invitation.findUnique({ ...query, where: { id } })
        if (!invitation) throw new NotFoundError('invitation', id)
        if (invitation.acceptedAt) throw new ConflictError('The invitation was accepted already.')
        await tx.invitation.delete({ where: { id } })
        await recordEvent(tx, principal, {
          action: 'INVITATION_REVOKED',
          target: { kind: 'Invitation', id, name: invitation.email ?? '' },
        })
        return invitation
      })
    },

    /** An invitation; null when there is none, and for everybody but administrators. */
    async find(principal: Principal, id: string): Promise<Invitation | null> {
      return isAdministrator(principal) ? prisma.invitation.findUnique({ where: { id } }) : null
    },

    /** All invitations, the latest first. @throws ForbiddenError */
    async list(principal: Principal, query: InvitationListQuery = {}): Promise<Invitation[]> {
      requireAdministrator(principal)
      return prisma.invitation.findMany(latestFirst(query, {}))
    },

    async count(principal: Principal): Promise<number> {
      requireAdministrator(principal)
      return prisma.invitation.count()
    },

    /**
     * The invitation of a secret, as long as it is open.
     *
     * @throws ValidationError when it was used, is over or never was, or is for another address
     */
    async findOpen(tx: Transaction, secret: string, email: string | null): Promise<Invitation> {
      const invitation = await tx.invitation.findFirst({
        where: { secretHash: hashSecret(secret), acceptedAt: null, expiresAt: { gt: now() } },
      })
      if (!invitation) {
        throw ValidationError.at(
          'invitationToken',
          'This invitation was used, is too old, or is not complete.',
        )
      }
      if (invitation.email !== null && email !== null && invitation.email !== email) {
        throw ValidationError.at('email', 'The invitation is for another address.')
      }
      return invitation
    },

    /** Uses an open invitation up for a new account, which gets its place in the project. */
    async accept(tx: Transaction, invitation: Invitation, userId: string): Promise<void> {
      await tx.invitation.update({
        where: { id: invitation.id },
        data: { acceptedAt: now(), acceptedById: userId },
      })
      const { projectId, projectRole: role } = invitation
      if (projectId === null || role === null) return
      await tx.projectMember.create({
        data: { id: newId('ProjectMember'), projectId, userId, role, createdAt: now() },
      })
    },
  }

  async function findProject(ref: string) {
    const where = byIdOrName('Project', ref)
    const project = await prisma.project.findUnique({ where, select: { id: true, name: true } })
    if (!project) throw new NotFoundError('project', ref)
    return project
  }

  async function send(email: string | null | undefined, url: string, invitedBy: string): Promise<void> {
    if (!email) throw ValidationError.at('email', 'Is needed to send the invitation to.')
    if (!mail) {
      throw new UnavailableError(
        'This server sends no mail: leave out sendMail and pass the link on yourself.',
      )
    }
    await mail.invitation(email, { link: url, minutes: VALID_MINUTES, invitedBy })
  }
}

const CreateInvitationInput = z
  .object({
    email: EmailInput.nullish(),
    role: z.enum(ROLES).nullish(),
    project: z.string().min(1, 'Must not be empty.').max(200).nullish(),
    projectRole: z.enum(PROJECT_ROLES).nullish(),
    sendMail: z.boolean().nullish(),
  })
  .refine(({ project, projectRole }) => !projectRole || Boolean(project), {
    path: ['projectRole'],
    message: 'Takes a project.',
  })

const RevokeInvitationInput = z.object({ invitationId: z.string() })
