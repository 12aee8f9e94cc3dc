import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeEncryptionKey, newEncryptionKey } from '../../src/secrets/encryption-key.ts'
import { createTestDataFolder, type TestDataFolder } from '../secrets/support/data-folder.ts'
import { runAdminCommand } from '../support/admin-command.ts'

let folder: TestDataFolder
beforeAll(async () => {
  folder = await createTestDataFolder()
})
afterAll(() => folder.remove())

test('with the key in the environment it says what to set next, and shows no key', async () => {
  const [secretKey, newSecretKey] = [newEncryptionKey(), newEncryptionKey()]
  const [key, newKey] = [encodeEncryptionKey(secretKey), encodeEncryptionKey(newSecretKey)]
  const { signingKeys } = await folder.open({ secretKey })
  const settings = { TRAINYARD_DATA_DIR: folder.path, TRAINYARD_SECRET_KEY: key }

  const without = await runAdminCommand(['rotate-keys'], settings)
  const done = await runAdminCommand(['rotate-keys'], { ...settings, TRAINYARD_NEW_SECRET_KEY: newKey })

  expect([without.exitCode, without.output]).toEqual([1, ''])
  expect(without.errors).toMatch(/^The key is in the environment[^\n]*TRAINYARD_NEW_SECRET_KEY[^\n]*\n$/)
  expect([done.exitCode, done.errors]).toEqual([0, ''])
  expect(done.output).toContain('Set TRAINYARD_SECRET_KEY to the value of TRAINYARD_NEW_SECRET_KEY')
  for (const said of [done.output, without.errors]) {
    expect(said).not.toContain(key)
    expect(said).not.toContain(newKey)
  }
  expect((await folder.open({ secretKey: newSecretKey })).signingKeys).toEqual(signingKeys)
})
