import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seed } from '../support/seed.ts'
import { type ServerProcess, startServerProcess } from '../support/server-process.ts'
import { until } from '../support/until.ts'
import { damageOf, problemsIn } from './support/data-folder.ts'
import { createLedger, type Ledger } from './support/ledger.ts'
import { scaled, tell } from './support/scale.ts'
import { createWriters } from './support/writers.ts'

const KILLS = scaled(8, 200)

let server: ServerProcess
beforeAll(async () => {
  server = await startServerProcess()
})
afterAll(() => server.dispose())

test('a server that is killed again and again while it writes keeps its word about every write', async () => {
  const ledgers = await givenLedgers()
  let answered = 0

  for (let kill = 1; kill <= KILLS; kill++) {
    const before = total(ledgers, 'stored')
    const loops = ledgers.map(writeUntilUnanswered)
    // At any moment of a write: the first ones after a start, or after many that went well.
    const some = before + Math.floor(Math.random() * 80)
    await until('some writes to be acknowledged', () => total(ledgers, 'stored') >= some)
    await sleep(Math.random() * 20)
    await server.kill('SIGKILL')
    await Promise.all(loops)
    answered += total(ledgers, 'stored') - before
    expect(damageOf(server.dataDir)).toEqual([])
    await server.start()
    expect(problemsIn(server.dataDir)).toEqual([])
    // Everything that was ever written would be read in full rounds only.
    if (kill % 10 === 0 || kill === KILLS) for (const ledger of ledgers) await ledger.check()
    expect(total(ledgers, 'refused')).toBe(0)
  }
  tell('kill -9 during a loop of writes', { kills: KILLS, 'acknowledged writes': answered, lost: 0 })
})

async function givenLedgers(): Promise<Ledger[]> {
  const given = seed(server.api)
  const project = await given.project({ command: ['sleep', '3600'] })
  const runId = await given.run({ project })
  await given.when(runId, 'running', (run) => run.status === 'RUNNING')
  const writers = await createWriters(server.api, runId, 'a')
  return [...writers, ...(await createWriters(server.api, runId, 'b'))].map(createLedger)
}

async function writeUntilUnanswered(ledger: Ledger): Promise<void> {
  while (await ledger.write());
}

function total(ledgers: Ledger[], what: 'stored' | 'refused'): number {
  return ledgers.reduce((sum, ledger) => sum + ledger[what].size, 0)
}
