import { ValidationError } from '../errors.ts'

/** A cursor for what is stored in a stream up to and including `seq`; opaque to clients. */
export function encodeCursor(streamId: number, seq: number): string {
  return Buffer.from(`s:${streamId}:${seq}`).toString('base64url')
}

/**
 * The sequence number that a cursor of this stream stands for.
 *
 * @throws ValidationError at `argument` when the text is no cursor, or one of another stream
 */
export function decodeCursor(cursor: string, streamId: number, argument = 'after'): number {
  const match = /^s:(\d{1,15}):(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString())
  if (!match) throw ValidationError.at(argument, 'This is not a cursor of a log or of metrics.')
  if (Number(match[1]) !== streamId) {
    throw ValidationError.at(argument, 'This cursor belongs to another stream.')
  }
  return Number(match[2])
}
