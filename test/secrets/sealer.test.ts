import { describe, expect, test } from 'vitest'
import {
  encodeEncryptionKey,
  newEncryptionKey,
  parseEncryptionKey,
} from '../../src/secrets/encryption-key.ts'
import { createSealer } from '../../src/secrets/sealer.ts'

const TEXT = 'hf_çorrect-horse 密码'
const PURPOSE = 'launcher lch_1'

const key = newEncryptionKey()
const sealer = createSealer([key])

test('what is sealed opens for its purpose, and shows nothing of itself', () => {
  const sealed = sealer.seal(TEXT, PURPOSE)

  expect(sealer.open(sealed, PURPOSE)).toBe(TEXT)
  expect(sealed).toMatch(new RegExp(`^v1\\.${key.id}\\.[\\w-]{16}\\.[\\w-]+$`))
  expect(Buffer.from(sealed.split('.')[3] ?? '', 'base64url').includes('horse')).toBe(false)
})

test('nothing at all can be sealed', () => {
  expect(sealer.open(sealer.seal('', PURPOSE), PURPOSE)).toBe('')
})

test('the same text is sealed differently every time', () => {
  const sealed = Array.from({ length: 1000 }, () => sealer.seal(TEXT, PURPOSE))

  expect(new Set(sealed.map((value) => value.split('.')[2])).size).toBe(1000)
  expect(new Set(sealed.map((value) => value.split('.')[3])).size).toBe(1000)
})

describe('does not open', () => {
  const sealed = sealer.seal(TEXT, PURPOSE)

  test('for another purpose, as when it is moved to another row', () => {
    expect(() => sealer.open(sealed, 'launcher lch_2')).toThrow('damaged, or somebody has changed it')
  })

  test('without its key', () => {
    expect(() => createSealer([newEncryptionKey()]).open(sealed, PURPOSE)).toThrow(
      `The key ${key.id}, which sealed "${PURPOSE}", is not at hand.`,
    )
  })

  test('under the name of another key', () => {
    const other = newEncryptionKey()
    const renamed = sealed.replace(key.id, other.id)

    expect(() => createSealer([key, other]).open(renamed, PURPOSE)).toThrow('damaged')
  })

  test('when any one character of it is another', () => {
    const changed = [...sealed].flatMap((character, index) => {
      const other = character === 'A' ? 'B' : 'A'
      const text = sealed.slice(0, index) + other + sealed.slice(index + 1)
      // The last character of base64 may have bits that stand for nothing.
      return index === sealed.length - 1 ? [] : [text]
    })

    for (const text of changed) expect(() => sealer.open(text, PURPOSE), text).toThrow()
  })

  test.each([
    ['nothing', ''],
    ['plain text', TEXT],
    ['cut short', sealed.slice(0, -8)],
    ['only a tag', sealed.split('.').with(3, 'A'.repeat(22)).join('.')],
    ['a later version', sealed.replace('v1', 'v2')],
    ['with more after it', `${sealed}.AAAA`],
  ])('when it is %s', (_what, text) => {
    expect(() => sealer.open(text, PURPOSE)).toThrow('damaged')
  })

  test('and the error says nothing of text or key', () => {
    const tampered = sealed.slice(0, -4) + (sealed.endsWith('AAAA') ? 'BBBB' : 'AAAA')
    let said = ''
    try {
      sealer.open(tampered, PURPOSE)
    } catch (error) {
      said = `${error instanceof Error ? error.stack : ''}${JSON.stringify(error)}`
    }

    expect(said).toContain('damaged')
    for (const secret of [TEXT, 'horse', encodeEncryptionKey(key), tampered]) {
      expect(said).not.toContain(secret)
    }
  })
})

test('a sealer opens with all its keys and seals with the first', () => {
  const next = newEncryptionKey()
  const both = createSealer([next, key])

  expect(both.open(sealer.seal(TEXT, PURPOSE), PURPOSE)).toBe(TEXT)
  expect(createSealer([next]).open(both.seal(TEXT, PURPOSE), PURPOSE)).toBe(TEXT)
})

describe('a key', () => {
  const bytes = Buffer.alloc(32, 0xfb)

  test.each([
    ['base64', bytes.toString('base64')],
    ['base64 without padding', bytes.toString('base64').replace('=', '')],
    ['base64url', bytes.toString('base64url')],
    ['hexadecimal', bytes.toString('hex')],
    ['hexadecimal in capitals', bytes.toString('hex').toUpperCase()],
  ])('is read from %s', (_what, text) => {
    expect(parseEncryptionKey(text)?.key.export()).toEqual(bytes)
  })

  test.each(['', 'password', 'A'.repeat(42), 'A'.repeat(45), 'f'.repeat(63), `${'A'.repeat(42)}!=`])(
    'is not %j',
    (text) => {
      expect(parseEncryptionKey(text)).toBeNull()
    },
  )

  test('is not seen in what is printed or logged of it', () => {
    const printed = JSON.stringify(parseEncryptionKey(bytes.toString('hex')))

    expect(printed).not.toMatch(/fb{3}|251/)
  })
})
