import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from 'vitest'
import {
  RunLogDocument,
  RunSeriesDocument,
  type RunSeriesQuery,
  SiteLastLineDocument,
  type StartRunInput,
} from '../../../src/generated/operations.ts'
import { isRunning } from '../../support/processes.ts'
import { seed } from '../../support/seed.ts'
import { until } from '../../support/until.ts'
import type { Site } from './site.ts'

/**
 * Prints numbered lines, so many at a time with such a pause between; every tenth with a metric, every seventh on
 * stderr too. Saves a checkpoint whenever a file `save` is there, goes on until a file `end` is, and leaves in `count`
 * how many lines there were. Told to end, it saves a checkpoint and does.
 */
const SCRIPT = `
  const { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } = require('node:fs')
  const [, folder, atATime, pauseMs] = process.argv
  const { TRAINYARD_OUTPUT_DIR: output, TRAINYARD_RESUME_FROM: from, CUDA_VISIBLE_DEVICES: gpus } = process.env
  const orders = folder + '/' + process.env.TRAINYARD_RUN_ID
  console.log('pid ' + process.pid)
  console.log('goes on from ' + (from ? readFileSync(from + '/weights.bin', 'utf8') : 'nothing'))
  console.log('sees ' + gpus)
  let n = 0
  function save() {
    const folder = output + '/checkpoint-' + n
    mkdirSync(folder, { recursive: true })
    writeFileSync(folder + '/weights.bin', 'step ' + n)
  }
  function end() {
    clearInterval(timer)
    writeFileSync(orders + '.count-new', String(n))
    renameSync(orders + '.count-new', orders + '.count')
  }
  const timer = setInterval(() => {
    for (let i = 0; i < Number(atATime); i++) {
      n++
      console.log('line ' + n)
      if (n % 10 === 0) console.log(JSON.stringify({ step: n, loss: 1 / n }))
      if (n % 7 === 0) console.error('every seventh ' + n)
    }
    if (existsSync(orders + '.save')) {
      rmSync(orders + '.save')
      save()
    }
    if (existsSync(orders + '.end')) end()
  }, Number(pauseMs))
  process.on('SIGTERM', () => {
    save()
    end()
  })
`

/** How fast a training prints. */
const PACES = {
  quickly: ['5', '20'],
  slowly: ['1', '300'],
}

/** A run of that script, which a test tells what to do through files. */
export interface Training {
  id: string
  /** Its process, once it has said so. */
  pid(): Promise<number>
  /** Waits for more lines in its log. */
  grows(): Promise<void>
  /** Has it save a checkpoint; resolves when it did, not when that has arrived. */
  save(): Promise<void>
  /** Has it end; resolves when its process is gone. */
  finish(): Promise<void>
  /** Expects every line in its log, once and in order, every metric, and its process to be gone. */
  expectWhole(): Promise<void>
}

/** Starts trainings at a site. */
export function createTrainings({ server, folder }: Site) {
  const given = seed(server.api)

  const linesOf = async (id: string, source: string) =>
    (await given.log(id)).filter((line) => line.source === source).map(({ message }) => message)

  function follow(id: string): Training {
    const orders = join(folder, id)
    const tell = (what: string) => writeFile(`${orders}.${what}`, '')
    const lineCount = async () => {
      const { run } = await server.api.send(SiteLastLineDocument, { id })
      return run?.logs.edges[0]?.node.seq ?? 0
    }
    const isThere = (name: string) =>
      readFile(`${orders}.${name}`, 'utf8').then(
        () => true,
        () => false,
      )
    let known: number | undefined
    async function pid() {
      known ??= await until('its process', async () => {
        const { run } = await server.api.send(RunLogDocument, { id, first: 1 })
        const [first] = run?.logs.edges ?? []
        return first && Number(/^pid (\d+)$/.exec(first.node.message)?.[1])
      })
      return known
    }

    return {
      id,
      pid,
      async grows() {
        const before = await lineCount()
        await until('more lines', async () => (await lineCount()) > before + 2)
      },
      async save() {
        await tell('save')
        await until('a checkpoint', async () => !(await isThere('save')))
      },
      async finish() {
        await tell('end')
        const process = await pid()
        await until('its end', async () => (await isThere('count')) && !isRunning(process))
      },
      async expectWhole() {
        const total = Number(await readFile(`${orders}.count`, 'utf8'))
        expect(total).toBeGreaterThan(0)
        const numbers = Array.from({ length: total }, (_, index) => index + 1)
        const metric = (n: number) => JSON.stringify({ step: n, loss: 1 / n })
        const log = await given.log(id)
        const said = (source: string) =>
          log.filter((line) => line.source === source).map(({ message }) => message)
        const [first, , , ...lines] = said('STDOUT')
        expect(first).toBe(`pid ${await pid()}`)
        expect(lines).toEqual(numbers.flatMap((n) => [`line ${n}`, ...(n % 10 === 0 ? [metric(n)] : [])]))
        expect(said('STDERR')).toEqual(numbers.filter((n) => n % 7 === 0).map((n) => `every seventh ${n}`))
        const { run }: RunSeriesQuery = await server.api.send(RunSeriesDocument, {
          id,
          keys: ['loss'],
          maxPoints: 10,
        })
        const tens = Math.floor(total / 10)
        expect(run?.metricSeries.map(({ pointCount }) => pointCount)).toEqual(tens === 0 ? [] : [tens])
        expect(isRunning(await pid())).toBe(false)
      },
    }
  }

  return {
    given,
    linesOf,
    /** A run of the script that was made otherwise. */
    known: follow,
    /** A training on a node. */
    async start(
      name: string,
      pace: keyof typeof PACES,
      input: Omit<StartRunInput, 'project' | 'placement'> = {},
    ): Promise<Training> {
      const project = await given.project({
        command: [process.execPath, '-e', SCRIPT, folder, ...PACES[pace]],
      })
      return follow(await given.run({ project, placement: { node: name }, ...input }))
    },
    /** What goes on from the newest checkpoint of a run, on another node. */
    async resume({ id }: Training, name: string): Promise<Training> {
      return follow(await given.resume({ runId: id, placement: { node: name } }))
    },
  }
}
