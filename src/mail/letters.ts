import type { Mail } from './mailer.ts'
import { oneLine } from './one-line.ts'

/** What every letter with a link in it says about the link. */
interface Linked {
  /** The page of this server that the link leads to, with its token. */
  link: string
  /** For how long the link works. */
  minutes: number
  /** Where the server is reached, e.g. https://trainyard.example.org. */
  publicUrl: string
}

/** The letter to somebody who is invited to make an account. */
export function invitationLetter(
  to: string,
  { link, minutes, publicUrl, invitedBy }: Linked & { invitedBy: string },
): Mail {
  return {
    to,
    subject: 'Your invitation to Trainyard',
    text: paragraphs(
      'Hello,',
      `${oneLine(invitedBy)} invites you to Trainyard at ${publicUrl}, where your team trains and serves its language models.`,
      `Choose a user name and a password here:\n${link}`,
      `The link works once, for ${duration(minutes)}. If you did not expect it, you need not do anything.`,
    ),
  }
}

/**
 * The letter to somebody who has forgotten their password.
 *
 * @param about.askedBy who asked for it, e.g. `the administrator admin` or `somebody at 203.0.113.7`
 */
export function passwordResetLetter(
  to: string,
  { link, minutes, publicUrl, username, askedBy }: Linked & { username: string; askedBy: string },
): Mail {
  return {
    to,
    subject: 'A new password for Trainyard',
    text: paragraphs(
      `Hello ${oneLine(username)},`,
      `${capitalised(oneLine(askedBy))} asked for a new password for your account at ${publicUrl}.`,
      `Choose it here:\n${link}`,
      `The link works once, for ${duration(minutes)}. Until you use it your password stays as it is, so if you did not want this, you need not do anything.`,
    ),
  }
}

/** 45 minutes, 1 hour, 7 days: in the largest unit that comes out even. */
function duration(minutes: number): string {
  const units = [
    ['day', 1440],
    ['hour', 60],
    ['minute', 1],
  ] as const
  const [name, size] = units.find(([, each]) => minutes % each === 0) ?? ['minute', 1]
  const count = Math.round(minutes / size)
  return `${count} ${name}${count === 1 ? '' : 's'}`
}

function paragraphs(...parts: string[]): string {
  return `${[...parts, 'Trainyard'].join('\n\n')}\n`
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
