import {
  CancelRunDocument,
  CreateDatasetDocument,
  CreateProjectDocument,
  type CreateProjectInput,
  ResumeRunDocument,
  type ResumeRunInput,
  RunLogDocument,
  RunStateDocument,
  type RunStateQuery,
  StartRunDocument,
  type StartRunInput,
  UploadDatasetFileDocument,
  UploadTrainConfigDocument,
} from '../../src/generated/operations.ts'
import type { ApiClient } from './client.ts'
import { until } from './until.ts'

/** A run as tests look at it. */
export type RunState = NonNullable<RunStateQuery['run']>

const FINAL = ['SUCCEEDED', 'FAILED', 'CANCELLED', 'LOST']

/** Makes things through the API, so that a test reads as a sentence; whatever goes wrong fails the test. */
export function seed(api: ApiClient) {
  let made = 0

  return {
    /** A project that runs this Node.js program, and its name. */
    async project(input: Partial<CreateProjectInput> & { script?: string } = {}): Promise<string> {
      const { script, ...fields } = input
      const name = fields.name ?? `project-${++made}`
      const command = script === undefined ? fields.command : [process.execPath, '-e', script]
      const { createProject } = await api.send(CreateProjectDocument, { input: { ...fields, name, command } })
      if (createProject.__typename !== 'Project') throw new Error(JSON.stringify(createProject))
      return name
    },

    async dataset(name: string, files: Record<string, string>, config?: string): Promise<string> {
      const { createDataset } = await api.send(CreateDatasetDocument, { input: { name } })
      if (createDataset.__typename !== 'Dataset') throw new Error(JSON.stringify(createDataset))
      for (const [filename, text] of Object.entries(files)) {
        const { data } = await api.upload(
          UploadDatasetFileDocument,
          { input: { dataset: name, file: null as never } },
          { 'variables.input.file': new File([text], filename) },
        )
        if (data?.uploadDatasetFile.__typename !== 'DatasetFile') throw new Error(JSON.stringify(data))
      }
      if (config !== undefined) {
        const { data } = await api.upload(
          UploadTrainConfigDocument,
          { input: { dataset: name, file: null as never } },
          { 'variables.input.file': new File([config], 'train.yaml') },
        )
        if (data?.uploadTrainConfig.__typename !== 'Dataset') throw new Error(JSON.stringify(data))
      }
      return name
    },

    async run(input: StartRunInput): Promise<string> {
      const { startRun } = await api.send(StartRunDocument, { input })
      if (startRun.__typename !== 'Run') throw new Error(JSON.stringify(startRun))
      return startRun.id
    },

    async resume(input: ResumeRunInput): Promise<string> {
      const { resumeRun } = await api.send(ResumeRunDocument, { input })
      if (resumeRun.__typename !== 'Run') throw new Error(JSON.stringify(resumeRun))
      return resumeRun.id
    },

    async cancel(runId: string, graceSeconds?: number): Promise<void> {
      const { cancelRun } = await api.send(CancelRunDocument, { input: { runId, graceSeconds } })
      if (cancelRun.__typename !== 'Run') throw new Error(JSON.stringify(cancelRun))
    },

    state: (id: string) => stateOf(api, id),

    /** The run once `reached` holds; fails early when it is over without. */
    when: (id: string, what: string, reached: (run: RunState) => boolean) =>
      until(`run to be ${what}`, async () => {
        const run = await stateOf(api, id)
        if (reached(run)) return run
        if (FINAL.includes(run.status))
          throw new Error(`The run is over without being ${what}: ${JSON.stringify(run)}`)
        return null
      }),

    /** The run once it is over. */
    end: (id: string) =>
      until('run to end', async () => {
        const run = await stateOf(api, id)
        return FINAL.includes(run.status) ? run : null
      }),

    /** All lines of a run's log, read page by page. */
    async log(id: string) {
      const lines = []
      let after: string | null = null
      for (;;) {
        const { run }: { run: LogPage } = await api.send(RunLogDocument, { id, first: 100, after })
        if (!run) throw new Error(`There is no run ${id}`)
        lines.push(...run.logs.edges.map((edge) => edge.node))
        if (!run.logs.pageInfo.hasNextPage) return lines
        after = run.logs.pageInfo.endCursor ?? null
      }
    },
  }
}

type LogPage = import('../../src/generated/operations.ts').RunLogQuery['run']

async function stateOf(api: ApiClient, id: string): Promise<RunState> {
  const { run } = await api.send(RunStateDocument, { id })
  if (!run) throw new Error(`There is no run ${id}`)
  return run
}
