import { expect, test } from 'vitest'
import { ValidationError } from '../../src/errors.ts'
import { decodeCursor, encodeCursor } from '../../src/streams/cursor.ts'

test('a cursor stands for its place in its stream', () => {
  expect(decodeCursor(encodeCursor(7, 0), 7)).toBe(0)
  expect(decodeCursor(encodeCursor(7, 123_456_789), 7)).toBe(123_456_789)
})

test.each([
  ['of another stream', encodeCursor(8, 1)],
  ['that is empty', ''],
  ['that is no cursor', 'garbage'],
  ['with more behind it', Buffer.from('s:7:1;').toString('base64url')],
  ['before the beginning', Buffer.from('s:7:-1').toString('base64url')],
  ['with too large a number', Buffer.from(`s:7:${'9'.repeat(16)}`).toString('base64url')],
])('a cursor %s is refused, naming the argument', (_, cursor) => {
  const refused = () => decodeCursor(cursor, 7, 'before')
  expect(refused).toThrow(ValidationError)
  expect(refused).toThrow(/^before: /)
})
