import { createHash } from 'node:crypto'
import {
  CatalogCreateProjectDocument,
  CatalogDatasetDocument,
  CatalogDeleteDatasetFileDocument,
  CatalogRegisterArtifactDocument,
  CatalogTagArtifactDocument,
  CatalogUpdateProjectDocument,
  CatalogUploadDatasetFileDocument,
  CatalogUploadTrainConfigDocument,
  FaultsArtifactDocument,
  FaultsLogDocument,
  FaultsProjectDocument,
  FaultsProjectsDocument,
  RunAppendLogsDocument,
  RunLogMetricsDocument,
  RunSeriesDocument,
} from '../../../src/generated/operations.ts'
import type { Answer, ApiClient } from '../../support/client.ts'
import { seed } from '../../support/seed.ts'
import { everyNode } from './pages.ts'

/** What a server said to a write: that it is stored, or that it cannot be for the time being. */
export type WriteResult = 'stored' | 'unavailable'

/** Writes numbered things of one kind, and finds them again. */
export interface Writer {
  name: string
  /** Whether each write adds something, replaces what the one before left, or takes away again what it made. */
  keeps: 'all' | 'last' | 'none'
  /** @throws when the server does not answer, and WrongAnswer when it says anything else */
  write(n: number): Promise<WriteResult>
  /** The numbers of what is there. @throws when something is there in part */
  present(): Promise<number[]>
}

/** A server answered what nobody should get. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer'
}

/** Writers of every kind, each with things of its own to write to, named after `label`. */
export async function createWriters(api: ApiClient, runId: string, label: string): Promise<Writer[]> {
  const given = seed(api)
  const project = await given.project({ name: `${label}-updated`, description: 'v0', tags: ['v0'] })
  const dataset = await given.dataset(`${label}-files`, {}, 'n: 0\n')
  const deleted = await given.dataset(`${label}-deleted`, {})
  const sizeOf = (n: number) => 1000 + n
  const shaOf = (n: number) => createHash('sha256').update(`${label} ${n}`).digest('hex')
  const register = (n: number) =>
    api.ask(CatalogRegisterArtifactDocument, {
      input: { runId, uri: `s3://b/${label}`, name: label, sizeBytes: sizeOf(n), sha256: shaOf(n) },
    })
  const { data } = await register(0)
  if (data?.registerArtifact.__typename !== 'Artifact') throw new WrongAnswer(JSON.stringify(data))
  const { id: artifactId } = data.registerArtifact

  return [
    {
      name: 'createProject',
      keeps: 'all',
      async write(n) {
        const input = { name: `${label}-made-${n}`, tags: [`t${n}`, 'made'] }
        return result(await api.ask(CatalogCreateProjectDocument, { input }))
      },
      async present() {
        const projects = await everyNode(async (after) => {
          return (await api.send(FaultsProjectsDocument, { search: `${label}-made-`, after })).projects
        })
        return projects.map(({ name, tags, versions }) => {
          const n = numberAfter('made-', name)
          whole({ tags, versions }, { tags: [`t${n}`, 'made'], versions: { totalCount: 1 } })
          return n
        })
      },
    },
    {
      name: 'updateProject',
      keeps: 'last',
      async write(n) {
        const input = { ref: project, description: `v${n}`, tags: [`v${n}`] }
        return result(await api.ask(CatalogUpdateProjectDocument, { input }))
      },
      async present() {
        const found = await api.send(FaultsProjectDocument, { ref: project })
        const n = numberAfter('v', found.project?.description ?? '')
        whole(found.project?.tags, [`v${n}`])
        return [n]
      },
    },
    {
      name: 'uploadDatasetFile',
      keeps: 'all',
      async write(n) {
        const file = new File([fileText(n)], `${n}.txt`)
        return result(await api.ask(CatalogUploadDatasetFileDocument, { input: { dataset, file } }))
      },
      async present() {
        const found = await api.send(CatalogDatasetDocument, { ref: dataset })
        const files = found.dataset?.files ?? []
        // What a file holds is looked at for the newest; the sums of all are compared with the disk elsewhere.
        const newest = files.toSorted((a, b) => a.id.localeCompare(b.id)).at(-1)
        if (newest) {
          const response = await fetch(newest.downloadUrl)
          whole(await response.text(), fileText(Number.parseInt(newest.filename, 10)))
        }
        return files.map(({ filename, sha256 }) => {
          const n = Number.parseInt(filename, 10)
          whole(sha256, createHash('sha256').update(fileText(n)).digest('hex'))
          return n
        })
      },
    },
    {
      name: 'deleteDatasetFile',
      keeps: 'none',
      async write(n) {
        const file = new File([fileText(n)], `deleted-${n}.txt`)
        const { data } = await api.ask(CatalogUploadDatasetFileDocument, {
          input: { dataset: deleted, file },
        })
        if (data?.uploadDatasetFile.__typename === 'UnavailableError') return 'unavailable'
        if (data?.uploadDatasetFile.__typename !== 'DatasetFile') throw new WrongAnswer(JSON.stringify(data))
        const { id } = data.uploadDatasetFile
        return result(await api.ask(CatalogDeleteDatasetFileDocument, { input: { fileId: id } }))
      },
      async present() {
        const found = await api.send(CatalogDatasetDocument, { ref: deleted })
        return (found.dataset?.files ?? []).map(({ filename }) => numberAfter('deleted-', filename))
      },
    },
    {
      name: 'uploadTrainConfig',
      keeps: 'last',
      async write(n) {
        const file = new File([`n: ${n}\n# ${'x'.repeat(5000)}\n`], 'train.yaml')
        return result(await api.ask(CatalogUploadTrainConfigDocument, { input: { dataset, file } }))
      },
      async present() {
        const { dataset: found } = await api.send(CatalogDatasetDocument, { ref: dataset })
        const n = numberAfter('n: ', found?.trainConfig?.text ?? '')
        whole(found?.trainConfig?.content, { n })
        return [n]
      },
    },
    {
      name: 'logMetrics',
      keeps: 'all',
      async write(n) {
        const steps = Array.from({ length: POINTS }, (_, index) => n * POINTS + index)
        const input = { runId, series: [{ key: label, steps, values: steps.map((step) => step / 2) }] }
        return result(await api.ask(RunLogMetricsDocument, { input }))
      },
      async present() {
        const { run } = await api.send(RunSeriesDocument, { id: runId, keys: [label], maxPoints: 10_000 })
        const buckets = run?.metricSeries[0]?.buckets ?? []
        const counts = new Map<number, number>()
        for (const { step, lastStep, count } of buckets) {
          const n = Math.floor(step / POINTS)
          whole(Math.floor(lastStep / POINTS), n)
          counts.set(n, (counts.get(n) ?? 0) + count)
        }
        for (const count of counts.values()) whole(count, POINTS)
        return [...counts.keys()]
      },
    },
    {
      name: 'appendRunLogs',
      keeps: 'all',
      async write(n) {
        const lines = Array.from({ length: LINES }, (_, part) => ({
          message: `${label} part ${part} of ${n}`,
        }))
        return result(await api.ask(RunAppendLogsDocument, { input: { runId, lines } }))
      },
      async present() {
        const lines = await everyNode(async (after) => {
          const { run } = await api.send(FaultsLogDocument, { id: runId, search: `${label} part`, after })
          return run?.logs
        })
        return Array.from({ length: Math.ceil(lines.length / LINES) }, (_, index) => {
          const block = lines.slice(index * LINES, (index + 1) * LINES)
          const n = numberAfter(' of ', block[0]?.message ?? '')
          const first = block[0]?.seq ?? 0
          whole(
            block,
            Array.from({ length: LINES }, (_, part) => ({
              seq: first + part,
              message: `${label} part ${part} of ${n}`,
            })),
          )
          return n
        })
      },
    },
    {
      name: 'registerArtifact',
      keeps: 'last',
      write: async (n) => result(await register(n)),
      async present() {
        const { artifact } = await api.send(FaultsArtifactDocument, { id: artifactId })
        const n = Number(artifact?.sizeBytes) - sizeOf(0)
        whole(artifact?.sha256, shaOf(n))
        return [n]
      },
    },
    {
      name: 'tagArtifact',
      keeps: 'last',
      async write(n) {
        const input = { artifactId, value: 'CANDIDATE' as const, notes: `v${n}` }
        return result(await api.ask(CatalogTagArtifactDocument, { input }))
      },
      async present() {
        const { artifact } = await api.send(FaultsArtifactDocument, { id: artifactId })
        return (artifact?.tags ?? []).map(({ notes }) => numberAfter('v', notes ?? ''))
      },
    },
  ]
}

/** Points of one logMetrics, and lines of one appendRunLogs. */
const POINTS = 10
const LINES = 5

/** Some 20 kB that differ from file to file. */
const fileText = (n: number) => `file ${n}, line by line\n`.repeat(1000)

function result(answer: Answer<object>): WriteResult {
  const [member] = Object.values(answer.data ?? {})
  if (!answer.errors && member?.__typename === 'UnavailableError') return 'unavailable'
  if (answer.errors || !member || member.__typename.endsWith('Error')) {
    throw new WrongAnswer(JSON.stringify(answer))
  }
  return 'stored'
}

function numberAfter(prefix: string, text: string): number {
  const found = new RegExp(`${prefix}(\\d+)`).exec(text)
  if (!found) throw new Error(`There is no number after ${JSON.stringify(prefix)} in ${JSON.stringify(text)}`)
  return Number(found[1])
}

/** @throws when something that is there is not as it was written */
function whole(found: unknown, expected: unknown): void {
  if (JSON.stringify(found) === JSON.stringify(expected)) return
  throw new WrongAnswer(`Expected ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`)
}
