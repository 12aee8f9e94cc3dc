import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDataFolder, type TestDataFolder } from '../secrets/support/data-folder.ts'
import { runAdminCommand, startAdminCommand } from '../support/admin-command.ts'
import { createRandom, type Random } from './support/random.ts'
import { scaled, tell } from './support/scale.ts'

const KILLS = scaled(8, 200)

let folder: TestDataFolder
let random: Random
beforeAll(async () => {
  folder = await createTestDataFolder()
  random = createRandom()
})
afterAll(() => folder.remove())

test('a rotation that is killed at any moment loses no secret', async () => {
  const { signingKeys } = await folder.open()
  const settings = { TRAINYARD_DATA_DIR: folder.path }
  const before = performance.now()
  await runAdminCommand(['rotate-keys'], settings)
  const duration = performance.now() - before
  let cutShort = 0

  for (let kill = 0; kill < KILLS; kill++) {
    const { child, over } = startAdminCommand(['rotate-keys'], settings)
    await Promise.race([sleep(duration * (0.3 + random.below(1000) / 1000)), over])
    child.kill('SIGKILL')
    if ((await over).exitCode === null) cutShort++
    // Every other time the next rotation, not a start of the server, comes upon what the kill left.
    if (kill % 2 === 0) expect((await folder.open()).signingKeys).toEqual(signingKeys)
  }

  expect((await runAdminCommand(['rotate-keys'], settings)).errors).toBe('')
  expect((await folder.open()).signingKeys).toEqual(signingKeys)
  tell('rotations of the keys, killed', { kills: KILLS, 'cut short': cutShort, 'secrets lost': 0 })
})
