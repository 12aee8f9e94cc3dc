import { invitationLetter, passwordResetLetter } from './letters.ts'
import type { Mailer } from './mailer.ts'

/** What a letter of an account is about, besides the server itself. */
type About<Letter extends (to: string, about: never) => unknown> = Omit<Parameters<Letter>[1], 'publicUrl'>

/** Sends the letters that accounts need. @param publicUrl where the server is reached */
export function createAccountLetters(mailer: Mailer, publicUrl: () => string) {
  return {
    invitation: (to: string, about: About<typeof invitationLetter>) =>
      mailer.send(invitationLetter(to, { ...about, publicUrl: publicUrl() })),
    passwordReset: (to: string, about: About<typeof passwordResetLetter>) =>
      mailer.send(passwordResetLetter(to, { ...about, publicUrl: publicUrl() })),
  }
}
