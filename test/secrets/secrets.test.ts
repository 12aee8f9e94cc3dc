import { randomBytes } from 'node:crypto'
import { chmod, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeEncryptionKey, newEncryptionKey } from '../../src/secrets/encryption-key.ts'
import { SecretsError } from '../../src/secrets/errors.ts'
import { createTestDataFolder, type TestDataFolder } from './support/data-folder.ts'

let folder: TestDataFolder
beforeEach(async () => {
  folder = await createTestDataFolder()
})
afterEach(() => folder.remove())

const keys = async (...given: Parameters<TestDataFolder['open']>) => (await folder.open(...given)).signingKeys

/** It fails with one line for the operator. */
async function expectRefusal(opening: Promise<unknown>, reason: RegExp) {
  const error = await opening.then(
    () => null,
    (failure: unknown) => failure,
  )

  expect(error).toBeInstanceOf(SecretsError)
  expect(error instanceof Error ? error.message : '').toMatch(reason)
  expect(error instanceof Error ? error.message : '').not.toContain('\n')
}

describe('the first start', () => {
  test('makes a key that nobody else can read, and keys to sign with', async () => {
    const made = await keys()

    expect((await stat(folder.keyFile)).mode & 0o777).toBe(0o600)
    for (const key of Object.values(made)) expect(key).toHaveLength(32)
    expect(new Set(Object.values(made).map((key) => Buffer.from(key).toString('hex'))).size).toBe(2)
    expect(await keys()).toEqual(made)
    expect((await readdir(folder.path)).filter((name) => name.startsWith('secret'))).toEqual(['secret.key'])
  })

  test('makes no file when the key is in the environment', async () => {
    const secretKey = newEncryptionKey()
    const made = await keys({ secretKey })

    expect(await readdir(folder.path)).not.toContain('secret.key')
    expect(await keys({ secretKey })).toEqual(made)
  })

  test('takes the key file that an earlier version made: 32 bytes as they are', async () => {
    const bytes = randomBytes(32)
    await writeFile(folder.keyFile, bytes, { mode: 0o600 })

    const made = await keys()

    expect(await readFile(folder.keyFile)).toEqual(bytes)
    expect(await keys()).toEqual(made)
  })

  test('takes a key file that a person made', async () => {
    const key = newEncryptionKey()
    await writeFile(folder.keyFile, `${encodeEncryptionKey(key)}\n`, { mode: 0o600 })

    const made = await keys()

    expect(await keys({ secretKey: key })).toEqual(made)
  })

  test('that was cut short by a full disk, or a kill, is made up for', async () => {
    await writeFile(`${folder.keyFile}.tmp`, 'half a k')

    expect(await keys()).toEqual(await keys())
    expect(await readdir(folder.path)).not.toContain('secret.key.tmp')
  })
})

describe('is refused with one line', () => {
  test.each([0o640, 0o604, 0o660, 0o644])('a key file of mode %o', async (mode) => {
    await keys()
    await chmod(folder.keyFile, mode)

    await expectRefusal(keys(), /is open to other users \(mode 6\d\d\): .* chmod 600\.$/)
  })

  test.each([
    ['empty', ''],
    ['half of one', randomBytes(16)],
    ['a password', 'correct-horse-battery-staple\n'],
  ])('a key file that is %s', async (_what, contents) => {
    await writeFile(folder.keyFile, contents, { mode: 0o600 })

    await expectRefusal(keys(), /secret\.key is damaged: it must hold 32 bytes, in base64\.$/)
  })

  test('another key than the one that sealed the secrets, and nothing is lost by it', async () => {
    const made = await keys()
    await rename(folder.keyFile, `${folder.keyFile}.kept`)
    await writeFile(folder.keyFile, randomBytes(32), { mode: 0o600 })

    await expectRefusal(keys(), /sealed with the key [0-9a-f]{8}, but .*secret\.key is another one/)
    await expectRefusal(
      keys({ secretKey: newEncryptionKey() }),
      /sealed with the key [0-9a-f]{8}, but TRAINYARD_SECRET_KEY is another one/,
    )

    await rename(`${folder.keyFile}.kept`, folder.keyFile)
    expect(await keys()).toEqual(made)
  })

  test('a key file that is gone, instead of making another', async () => {
    await keys()
    await rename(folder.keyFile, `${folder.keyFile}.kept`)

    await expectRefusal(keys(), /sealed with the key [0-9a-f]{8}, but .*secret\.key is missing/)
    expect(await readdir(folder.path)).not.toContain('secret.key')
  })

  test.each([
    ['changed', (sealed: string) => sealed.slice(0, -4) + (sealed.endsWith('AAAA') ? 'BBBB' : 'AAAA')],
    ['cut short', (sealed: string) => sealed.slice(0, 20)],
    ['in plain text', () => 'plain'],
  ])('a secret in the database that is %s', async (_what, change) => {
    await keys()
    await folder.with(async (database) => {
      const { name, sealed } = await database.prisma.secret.findFirstOrThrow()
      await database.transaction((tx) =>
        tx.secret.update({ where: { name }, data: { sealed: change(sealed) } }),
      )
    })

    await expectRefusal(keys(), /"secret signing-key \w+"/)
  })

  test('a secret that was put in the place of another', async () => {
    await keys()
    await folder.with(async (database) => {
      const [first, second] = await database.prisma.secret.findMany()
      await database.transaction((tx) =>
        tx.secret.update({ where: { name: first?.name ?? '' }, data: { sealed: second?.sealed ?? '' } }),
      )
    })

    await expectRefusal(keys(), /damaged, or somebody has changed it/)
  })
})

test('no signing key is in the data folder as it is', async () => {
  const made = await keys()

  for (const name of await readdir(folder.path)) {
    const contents = await readFile(`${folder.path}/${name}`)
    for (const key of Object.values(made)) {
      expect(contents.includes(Buffer.from(key)), name).toBe(false)
      expect(contents.includes(Buffer.from(key).toString('base64url')), name).toBe(false)
      expect(contents.includes(Buffer.from(key).toString('hex')), name).toBe(false)
    }
  }
})
