import { z } from 'zod'
import type { Database, Transaction } from '../../db/database.ts'
import { ConflictError, UnavailableError, ValidationError } from '../../errors.ts'
import type { User } from '../../generated/prisma/client.ts'
import { clientOf } from '../../network.ts'
import type { Signals } from '../../streams/signals.ts'
import { type AuditActor, recordEvent } from '../audit/record.ts'
import { parseInput } from '../input.ts'
import type { Attempts } from './attempts.ts'
import { createLimit } from './limit.ts'
import type { AccountLink, AccountMail } from './mail.ts'
import { findAccount, LoginNameInput, UserRefInput } from './names.ts'
import { NewPasswordInput, type Passwords } from './passwords.ts'
import { type Origin, type Principal, requireAdministrator, requireSignInOver } from './principal.ts'
import { hashSecret, newSecret } from './secrets.ts'
import type { SessionService, StartedSession } from './sessions.ts'
import { accountTopics } from './topics.ts'

/** How long a link works. */
const VALID_MINUTES = 60
/** How many links may be asked for: for one name in an hour, and from one address in ten minutes. */
const LIMIT_PER_NAME = { points: 3, seconds: 3600 }
const LIMIT_PER_ADDRESS = { points: 10, seconds: 600 }

/** A secret that sets a new password, once. It exists only here: the database keeps a hash. */
export interface IssuedReset {
  secret: string
  expiresAt: Date
  username: string
}

/** The same as administrators get it. */
export interface NewPasswordReset {
  token: string
  url: string
  expiresAt: Date
}

/** The answer to whoever asks for a link: it says nothing of whether there is such an account. */
export interface PasswordResetRequest {
  username: string
  validMinutes: number
}

/** Makes links for the operator, who has the data folder and needs no account. */
export function createOperatorResets({
  database,
  now = () => new Date(),
}: {
  database: Database
  now?: () => Date
}) {
  return {
    /** @param name the username or the id. @throws NotFoundError, ConflictError when the account is deactivated */
    issuePasswordReset(name: string): Promise<IssuedReset> {
      return database.transaction(async (tx) =>
        issueReset(tx, { kind: 'operator' }, await findAccount(tx, name), now()),
      )
    },
  }
}

/** What the service for forgotten passwords needs. */
export interface PasswordResetDependencies {
  database: Database
  signals: Signals
  sessions: SessionService
  passwords: Passwords
  attempts: Attempts
  link: AccountLink
  /** Null when the server sends no mail. */
  mail: AccountMail | null
  /** Told of what failed when nobody waits for it any more. */
  onError: (error: unknown) => void
  now?: () => Date
}

export type PasswordResetService = ReturnType<typeof createPasswordResetService>

/** Links that set a new password, for people who have none that they know. */
export function createPasswordResetService(deps: PasswordResetDependencies) {
  const { database, signals, sessions, passwords, attempts, link, mail, now = () => new Date() } = deps
  const names = createLimit({ ...LIMIT_PER_NAME, refusal: 'Enough links were asked for this name' })
  const addresses = createLimit({ ...LIMIT_PER_ADDRESS, refusal: 'Enough links were asked for from here' })
  const underWay = new Set<Promise<void>>()

  async function sendLink(mail: AccountMail, origin: Origin, name: string): Promise<void> {
    const user = await database.prisma.user.findFirst({
      where: { OR: [{ username: name }, { email: name }], deactivatedAt: null },
    })
    if (!user?.email) return
    const { secret, username } = await database.transaction((tx) =>
      issueReset(tx, { kind: 'anonymous', origin }, user, now()),
    )
    await mail.passwordReset(user.email, {
      username,
      link: link('reset-password', secret),
      minutes: VALID_MINUTES,
      askedBy: origin.address === null ? 'somebody' : `somebody at ${origin.address}`,
    })
  }

  return {
    /**
     * Sends a link to the address of an account, if there is such an account with an address. All of that happens
     * after the answer, so that neither the answer nor its time tells.
     *
     * @throws ValidationError, UnavailableError when the server sends no mail or too much was asked for
     */
    async request(origin: Origin, input: unknown): Promise<PasswordResetRequest> {
      const { username: name } = parseInput(RequestInput, input)
      if (!mail) {
        throw new UnavailableError(
          'This server sends no mail: ask an administrator for a link (npm run admin -- reset-password NAME).',
        )
      }
      await addresses.check(clientOf(origin.address))
      await names.check(name)
      await addresses.count(clientOf(origin.address))
      await names.count(name)
      const sending: Promise<void> = sendLink(mail, origin, name)
        .catch(deps.onError)
        .finally(() => underWay.delete(sending))
      underWay.add(sending)
      return { username: name, validMinutes: VALID_MINUTES }
    },

    /** Waits until nothing is being sent; for the end of the server. */
    async settled(): Promise<void> {
      await Promise.all(underWay)
    },

    /**
     * Sets a new password and signs in. All other sign-ins end; API tokens stay.
     *
     * @throws ValidationError when the link was used, is over or never was
     */
    async use(origin: Origin, input: unknown): Promise<StartedSession> {
      const { token, newPassword } = parseInput(ResetInput, input)
      const isOpen = {
        secretHash: hashSecret(token),
        expiresAt: { gt: now() },
        user: { deactivatedAt: null },
      }
      // Before the hash of the password, which costs more than whoever has no link is worth.
      if ((await database.prisma.passwordReset.count({ where: isOpen })) === 0) throw badLink()
      const passwordHash = await passwords.hash(newPassword)
      const session = await database.transaction(async (tx) => {
        const reset = await tx.passwordReset.findFirst({ where: isOpen, select: { user: true } })
        if (!reset) throw badLink()
        const { id: userId, username } = reset.user
        await tx.passwordReset.deleteMany({ where: { userId } })
        await tx.userSession.deleteMany({ where: { userId } })
        const user = await tx.user.update({
          where: { id: userId },
          data: { passwordHash, mustChangePassword: false, lastLoginAt: now() },
        })
        const started = await sessions.start(tx, user, origin)
        await recordEvent(
          tx,
          { kind: 'anonymous', origin },
          {
            action: 'PASSWORD_RESET',
            target: { kind: 'User', id: userId, name: username },
            details: { sessionId: started.id },
          },
        )
        return started
      })
      attempts.forget(session.userId)
      signals.notify(accountTopics.rights, session.userId)
      return sessions.issue(session)
    },

    /** Makes a link for somebody else to use. @throws NotFoundError, ConflictError, ForbiddenError */
    async create(principal: Principal, input: unknown): Promise<NewPasswordReset> {
      requireAdministrator(principal)
      const { user } = parseInput(CreateInput, input)
      return database.transaction(async (tx) => {
        const account = await findAccount(tx, user)
        requireSignInOver(principal, account.role)
        return this.issue(tx, principal, account)
      })
    },

    /** A link for an account, in the transaction of what calls for it. @throws ConflictError */
    async issue(tx: Transaction, principal: Principal, user: User): Promise<NewPasswordReset> {
      const { secret, expiresAt } = await issueReset(tx, principal, user, now())
      return { token: secret, url: link('reset-password', secret), expiresAt }
    },
  }
}

/** Earlier links stay: whoever asks for one does not take away that of the person themselves. */
async function issueReset(tx: Transaction, actor: AuditActor, user: User, now: Date): Promise<IssuedReset> {
  const { id: userId, username } = user
  if (user.deactivatedAt) throw new ConflictError(`The account ${username} is deactivated.`)
  const secret = newSecret('passwordReset')
  const expiresAt = new Date(now.getTime() + VALID_MINUTES * 60_000)
  await tx.passwordReset.deleteMany({ where: { userId, expiresAt: { lte: now } } })
  await tx.passwordReset.create({
    data: { secretHash: hashSecret(secret), userId, createdAt: now, expiresAt },
  })
  await recordEvent(tx, actor, {
    action: 'PASSWORD_RESET_REQUESTED',
    target: { kind: 'User', id: userId, name: username },
  })
  return { secret, expiresAt, username }
}

function badLink(): ValidationError {
  return ValidationError.at('token', 'This link has been used, is too old, or is not complete.')
}

const RequestInput = z.object({ username: LoginNameInput })

const ResetInput = z.object({ token: z.string().max(200), newPassword: NewPasswordInput })

const CreateInput = z.object({ user: UserRefInput })
