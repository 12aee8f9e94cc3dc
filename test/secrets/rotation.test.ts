import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { newEncryptionKey } from '../../src/secrets/encryption-key.ts'
import { SecretsError } from '../../src/secrets/errors.ts'
import { enginePurpose, launcherPurpose, webhookPurpose } from '../../src/secrets/sealed-columns.ts'
import { sealingKeyId } from '../../src/secrets/sealer.ts'
import { type RotationStep, rotateKeys } from '../../src/secrets/secrets.ts'
import { createTestDataFolder, type GivenKeys, type TestDataFolder } from './support/data-folder.ts'

const ROTATE_UNTIL = join(import.meta.dirname, 'support/rotate-until.ts')

let folder: TestDataFolder
beforeEach(async () => {
  folder = await createTestDataFolder()
})
afterEach(() => folder.remove())

const keys = async (given?: GivenKeys) => (await folder.open(given)).signingKeys
const sealed = () => folder.with((database) => database.prisma.secret.findMany({ orderBy: { name: 'asc' } }))
const rotate = ({ signing = false, ...given }: GivenKeys & { signing?: boolean } = {}) =>
  folder.with((database) => rotateKeys({ database, store: folder.store(given), signing }))

/** Rotates in a process of its own that is killed once it has reached the step. */
async function rotateAndDie(step: RotationStep, ...options: string[]) {
  const child = spawn(process.execPath, [ROTATE_UNTIL, folder.path, step, ...options], { stdio: 'inherit' })
  const [, signal] = await once(child, 'exit')
  if (signal !== 'SIGKILL') throw new Error(`The rotation was not killed at ${step}.`)
}

const secretFiles = async () =>
  (await readdir(folder.path)).filter((name) => name.startsWith('secret')).sort()

describe('a rotation', () => {
  test('seals everything with a new key, and the signing keys stay', async () => {
    const before = await keys()
    const oldKey = await readFile(folder.keyFile)
    const oldValues = await sealed()

    const { keyId, count } = await rotate()

    expect(count).toBe(oldValues.length)
    expect(new Set((await sealed()).map((secret) => sealingKeyId(secret.sealed)))).toEqual(new Set([keyId]))
    expect(await readFile(folder.keyFile)).not.toEqual(oldKey)
    expect((await stat(folder.keyFile)).mode & 0o777).toBe(0o600)
    expect(await secretFiles()).toEqual(['secret.key'])
    expect(await keys()).toEqual(before)
  })

  test.each<[string, () => Promise<unknown>]>([
    ['done', rotate],
    ['killed and completed', () => rotateAndDie('committed').then(() => keys())],
  ])('that is %s leaves nothing behind that the old key opens', async (_how, rotated) => {
    await keys()
    const oldValues = await sealed()

    await rotated()

    for (const name of await readdir(folder.path)) {
      const contents = await readFile(join(folder.path, name))
      for (const { sealed: value } of oldValues) expect(contents.includes(value), name).toBe(false)
    }
  })

  test('replaces the signing keys when it is told to', async () => {
    const before = await keys()

    await rotate({ signing: true })

    const after = await keys()
    for (const name of ['session', 'download'] as const) {
      expect(after[name]).not.toEqual(before[name])
    }
  })

  test('that finds a value it cannot open fails, and changes nothing', async () => {
    const before = await keys()
    const [{ sealed: whole = '' } = {}] = await sealed()
    const broken = {
      name: 'broken',
      sealed: `${whole.slice(0, 30)}${'A'.repeat(30)}`,
      createdAt: new Date(),
      updatedAt: new Date(),
    }
    await folder.with((database) => database.transaction((tx) => tx.secret.create({ data: broken })))
    const values = await sealed()

    await expect(rotate()).rejects.toThrow(SecretsError)

    expect(await sealed()).toEqual(values)
    expect(await keys()).toEqual(before)
  })
})

describe('a rotation that is killed', () => {
  test.each<RotationStep>(['proposed', 're-sealed'])('once it has %s is undone', async (step) => {
    const before = await keys()
    const [key, values] = [await readFile(folder.keyFile), await sealed()]

    await rotateAndDie(step)
    expect(await secretFiles()).toEqual(['secret.key', 'secret.key.next'])

    expect(await keys()).toEqual(before)
    expect(await readFile(folder.keyFile)).toEqual(key)
    expect(await sealed()).toEqual(values)
    expect(await secretFiles()).toEqual(['secret.key'])
  })

  test.each<RotationStep>(['committed', 'settled'])('once it has %s is completed', async (step) => {
    const before = await keys()
    const key = await readFile(folder.keyFile)

    await rotateAndDie(step)

    expect(await keys()).toEqual(before)
    expect(await readFile(folder.keyFile)).not.toEqual(key)
    expect((await stat(folder.keyFile)).mode & 0o777).toBe(0o600)
    expect(await secretFiles()).toEqual(['secret.key'])
    expect(await keys()).toEqual(before)
  })

  test.each<[RotationStep, boolean]>([
    ['proposed', false],
    ['re-sealed', false],
    ['committed', true],
    ['settled', true],
  ])('with new signing keys, once it has %s: all of them are new, or none', async (step, isNew) => {
    const before = await keys()

    await rotateAndDie(step, '--signing')

    const after = await keys()
    for (const name of ['session', 'download'] as const) {
      expect(Buffer.from(after[name]).equals(before[name])).toBe(!isNew)
    }
  })

  test.each<RotationStep>(['proposed', 're-sealed', 'committed', 'settled'])(
    'once it has %s can be done again at once',
    async (step) => {
      const before = await keys()

      await rotateAndDie(step)
      await rotateAndDie(step)
      await rotate()

      expect(await keys()).toEqual(before)
      expect(await secretFiles()).toEqual(['secret.key'])
    },
  )
})

describe('with the key in the environment, a rotation', () => {
  const [secretKey, newSecretKey] = [newEncryptionKey(), newEncryptionKey()]

  test('takes the new one from there', async () => {
    const before = await keys({ secretKey })

    expect(await rotate({ secretKey, newSecretKey })).toMatchObject({ keyId: newSecretKey.id })

    expect(await keys({ secretKey: newSecretKey })).toEqual(before)
    await expect(keys({ secretKey })).rejects.toThrow('TRAINYARD_SECRET_KEY is another one')
    expect(await secretFiles()).toEqual([])
  })

  test('may be done again before the setting is changed, and a server that has both starts', async () => {
    const before = await keys({ secretKey })
    await rotate({ secretKey, newSecretKey })

    expect(await rotate({ secretKey, newSecretKey })).toMatchObject({ keyId: newSecretKey.id })
    expect(await keys({ secretKey, newSecretKey })).toEqual(before)
  })

  test('needs one', async () => {
    const before = await keys({ secretKey })

    await expect(rotate({ secretKey })).rejects.toThrow('set TRAINYARD_NEW_SECRET_KEY')
    expect(await keys({ secretKey })).toEqual(before)
  })
})

test('a new key that is given goes into the file', async () => {
  const newSecretKey = newEncryptionKey()
  const before = await keys()

  await rotate({ newSecretKey })

  expect(await keys()).toEqual(before)
  expect(await keys({ secretKey: newSecretKey })).toEqual(before)
})

test('the environments of launchers and engines, and the secrets of webhooks, are sealed anew as well', async () => {
  const { sealer } = await folder.open()
  const launcher = {
    id: 'lch_1',
    name: 'train',
    command: [],
    resumeArgs: [],
    environmentNames: ['HF_TOKEN'],
    createdAt: new Date(),
    updatedAt: new Date(),
    createdById: 'usr_1',
  }
  const user = { id: 'usr_1', username: 'ada', passwordHash: '', preferences: {}, createdAt: new Date() }
  await folder.with((database) =>
    database.transaction(async (tx) => {
      await tx.user.create({ data: user })
      const environment = sealer.seal('{"HF_TOKEN":"hf_secret"}', launcherPurpose('lch_1'))
      await tx.launcher.create({ data: { ...launcher, environment } })
      await tx.launcher.create({ data: { ...launcher, id: 'lch_2', name: 'plain' } })
      const { resumeArgs: _, ...engine } = { ...launcher, id: 'eng_1', healthPath: '/health' }
      const ofEngine = sealer.seal('{"HF_TOKEN":"hf_other"}', enginePurpose('eng_1'))
      await tx.engine.create({ data: { ...engine, environment: ofEngine } })
      const { createdAt, updatedAt, createdById } = launcher
      const secret = sealer.seal('whsec_secret', webhookPurpose('hook_1'))
      const webhook = { id: 'hook_1', name: 'chat', url: 'http://127.0.0.1:9/', minimumLevel: 'INFO', secret }
      await tx.webhook.create({ data: { ...webhook, createdAt, updatedAt, createdById } })
    }),
  )

  expect(await rotate()).toMatchObject({ count: 5 })

  const rotated = await folder.open()
  const webhook = await folder.with((database) => database.prisma.webhook.findFirstOrThrow())
  expect(rotated.sealer.open(webhook.secret, webhookPurpose('hook_1'))).toBe('whsec_secret')
  const engine = await folder.with((database) => database.prisma.engine.findFirstOrThrow())
  expect(rotated.sealer.open(engine.environment ?? '', enginePurpose('eng_1'))).toBe(
    '{"HF_TOKEN":"hf_other"}',
  )
  const launchers = await folder.with((database) => database.prisma.launcher.findMany())
  expect(
    launchers.map(
      ({ id, environment }) => environment && rotated.sealer.open(environment, launcherPurpose(id)),
    ),
  ).toEqual(['{"HF_TOKEN":"hf_secret"}', null])
})
