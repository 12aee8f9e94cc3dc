import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PlacedRunDocument } from '../../src/generated/operations.ts'
import { until } from '../support/until.ts'
import { impossible, needNetwork } from './support/no-network.ts'
import { type Site, startSite } from './support/site.ts'
import { createTrainings, type Training } from './support/training.ts'

/** How long a cable is pulled that comes back in time. */
const PULLED_MS = 5000

let site: Site
let trainings: ReturnType<typeof createTrainings>
beforeAll(async () => {
  if (impossible !== null) return
  site = await startSite()
  trainings = createTrainings(site)
})
afterAll(() => site?.end())

const all = <T>(things: T[], work: (thing: T) => Promise<void>) => Promise.all(things.map(work))
const grow = (some: Training[]) => all(some, (training) => training.grows())

const placed = async (id: string) => (await site.server.api.send(PlacedRunDocument, { id })).run

/** What Trainyard has to say in the log of a run. */
const remarks = ({ id }: Training) => trainings.linesOf(id, 'SYSTEM')

/** Expects a run to have become this, and nothing else before or after. */
async function expectEnd({ id }: Training, status: string): Promise<void> {
  expect(await trainings.given.state(id)).toMatchObject({ status, exitCode: 0 })
  const seen = site.histories.of(id).filter((each) => !['QUEUED', 'STARTING', 'RUNNING'].includes(each))
  expect(seen.every((each) => each === status)).toBe(true)
}

test('whatever breaks: every line is there once and in order, and every run has one end', async (context) => {
  needNetwork(context)
  const { server, histories } = site
  const [cut, gone, killed] = await Promise.all([
    site.node('cut'),
    site.node('gone', { gpus: [{}] }),
    site.node('killed'),
  ])
  const startTwo = async (node: string, resources = {}) => [
    await trainings.start(node, 'quickly', { resources }),
    await trainings.start(node, 'slowly'),
  ]
  const onCut = await startTwo('cut')
  const onGone = await startTwo('gone', { gpuCount: 1 })
  const onKilled = await startTwo('killed')
  const everything = [...onCut, ...onGone, ...onKilled]
  await grow(everything)
  const waiting = await trainings.start('gone', 'quickly', { resources: { gpuCount: 1 } })
  await all(onGone, (training) => training.save())
  await all(onGone, ({ id }) =>
    trainings.given.when(id, 'with a checkpoint', ({ artifacts }) => artifacts.totalCount > 0).then(() => {}),
  )

  // One cable is pulled for a moment, an agent dies, and so does the server; then one cable is pulled for good.
  cut.machine.unplug()
  const pulled = sleep(PULLED_MS)
  await Promise.all([server.kill('SIGKILL'), killed.agent.kill('SIGKILL')])
  await server.start()
  gone.machine.unplug()
  for (const name of ['cut', 'killed']) await site.reaches(name, 'OFFLINE')
  await pulled
  cut.machine.plugIn()
  await killed.agent.start()
  await grow([...onCut, ...onKilled])
  for (const name of ['cut', 'killed']) await site.reaches(name, 'ONLINE')

  // What is well again ends as if nothing had been.
  await all([...onCut, ...onKilled], (training) => training.finish())
  await all([...onCut, ...onKilled], async (training) => {
    expect(await trainings.given.end(training.id)).toMatchObject({ status: 'SUCCEEDED', statusReason: null })
    await training.expectWhole()
    await expectEnd(training, 'SUCCEEDED')
    expect(await remarks(training)).toEqual([])
  })

  // What is not heard of for longer than its lease is given up, once, while it goes on and one of them ends.
  const [ends, goesOn] = onGone
  if (!ends || !goesOn) throw new Error('There are no two.')
  await all(onGone, async ({ id }) => {
    expect(await trainings.given.end(id)).toMatchObject({ status: 'LOST', exitCode: null })
  })
  await ends.finish()
  expect(await site.statusOf('gone')).toBe('OFFLINE')
  // Its GPU is not anybody else's as long as nobody knows.
  expect(await placed(waiting.id)).toMatchObject({ status: 'QUEUED' })
  await server.kill('SIGKILL')
  await server.start()
  gone.machine.plugIn()
  await site.reaches('gone', 'ONLINE')
  await goesOn.grows()
  await goesOn.finish()
  await all(onGone, async (training) => {
    const saidOfIt = await until('its late result', async () => {
      const said = await remarks(training)
      return said.length > 1 && said
    })
    expect(saidOfIt).toEqual([
      'Nothing was heard of compute node gone for longer than its lease.',
      expect.stringContaining('come to be SUCCEEDED (exit code 0). The run stays LOST.'),
    ])
    await training.expectWhole()
    await expectEnd(training, 'LOST')
  })
  // The GPU and the place are free again.
  await waiting.grows()
  await waiting.finish()
  expect(await trainings.given.end(waiting.id)).toMatchObject({ status: 'SUCCEEDED' })
  await waiting.expectWhole()

  for (const { agent } of [cut, gone, killed]) {
    await until('nothing to be left on the node', async () => (await agent.executions()).length === 0)
  }
  for (const name of ['cut', 'gone', 'killed']) {
    const history = histories.of(name)
    expect([history[0], history.includes('OFFLINE'), history.at(-1)]).toEqual(['ONLINE', true, 'ONLINE'])
  }
}, 180_000)
