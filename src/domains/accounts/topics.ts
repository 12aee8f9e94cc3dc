/** What is notified of accounts. */
export const accountTopics = {
  /**
   * A credential may have lost its rights: a sign-in or a token has ended, a role or a password has changed, an
   * account was deactivated. Comes with the id of the user; `stillValid` tells which credentials still count.
   */
  rights: 'account rights changed',
} as const
