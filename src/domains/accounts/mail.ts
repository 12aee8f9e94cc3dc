/** The pages that the links in letters lead to. */
export type AccountPage = 'accept-invitation' | 'reset-password'

/** Makes the link to a page, with the secret that it is opened with. */
export type AccountLink = (page: AccountPage, secret: string) => string

/** Sends the letters that accounts need. @throws UnavailableError when a letter cannot be handed over */
export interface AccountMail {
  invitation(to: string, about: { link: string; minutes: number; invitedBy: string }): Promise<void>
  passwordReset(
    to: string,
    about: { link: string; minutes: number; username: string; askedBy: string },
  ): Promise<void>
}
