/** The demo cannot go on; the message says why and what to do, for the person who started it. */
export class DemoError extends Error {
  override readonly name = 'DemoError'
}
