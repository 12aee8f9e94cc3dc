import type { Database } from '../../db/database.ts'
import type { Signals } from '../../streams/signals.ts'
import { createApiTokenService } from './api-tokens.ts'
import { createAttempts } from './attempts.ts'
import { createAuthenticate } from './authenticate.ts'
import { createInvitationService, type Registration } from './invitations.ts'
import type { AccountLink, AccountMail } from './mail.ts'
import { createOwnAccountService } from './own-account.ts'
import { createPasswordResetService } from './password-resets.ts'
import { createPasswords } from './passwords.ts'
import { createRegistrationService } from './registration.ts'
import { createAccountService } from './service.ts'
import { createSessionService } from './sessions.ts'
import { createStatisticsService } from './statistics.ts'
import { createStillValid } from './still-valid.ts'
import { createUnstoredSessions } from './unstored-sessions.ts'
import { createUserAdministrationService } from './user-administration.ts'
import { createUserService } from './users.ts'

/** What the services of this domain need of the rest. */
export interface AccountsDependencies {
  database: Database
  signals: Signals
  /** At least 32 bytes. */
  sessionKey: Uint8Array
  sessionMinutes: number
  refreshDays: number
  registration: Registration
  /** How many sign-ins may fail from one address in ten minutes; 0 for any number. */
  loginFailuresPerAddress: number
  link: AccountLink
  /** Null when the server sends no mail. */
  mail: AccountMail | null
  /** Told of what failed when nobody waits for it any more. */
  onError: (error: unknown) => void
}

/** The services that resolvers call. */
export type AccountServices = ReturnType<typeof createAccounts>['services']

/** Wires the parts of this domain. */
export function createAccounts(deps: AccountsDependencies) {
  const passwords = createPasswords()
  const attempts = createAttempts({ failuresPerAddress: deps.loginFailuresPerAddress })
  const unstored = createUnstoredSessions(deps.signals)
  const sessions = createSessionService({ ...deps, unstored })
  const apiTokens = createApiTokenService(deps)
  const shared = { ...deps, passwords, attempts, sessions }
  const invitations = createInvitationService(deps)
  const passwordResets = createPasswordResetService(shared)
  return {
    services: {
      accounts: createAccountService(shared),
      ownAccount: createOwnAccountService(shared),
      sessions,
      apiTokens,
      invitations,
      registration: createRegistrationService({ ...shared, invitations }),
      passwordResets,
      users: createUserService(deps),
      userAdministration: createUserAdministrationService({ ...shared, passwordResets }),
      statistics: createStatisticsService(deps),
    },
    authenticate: createAuthenticate({ sessions, apiTokens }),
    stillValid: createStillValid({ ...deps, unstored }),
    /** Ends what is still under way when the server stops. */
    settle: () => passwordResets.settled(),
  }
}
