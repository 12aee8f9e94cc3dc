import type { ApiClient } from '../client/client.ts'
import {
  DemoCreateDatasetDocument,
  DemoCreateProjectDocument,
  DemoResumeRunDocument,
  DemoRunResultDocument,
  type DemoRunResultQuery,
  DemoStartRunDocument,
  DemoTagArtifactDocument,
  DemoUploadDatasetFileDocument,
  DemoUploadTrainConfigDocument,
} from '../generated/operations.ts'
import { humanSize } from '../storage/human-size.ts'
import { generateAdditions, TRAINING_COMMAND, trainConfig } from './additions.ts'
import { expectResult } from './answers.ts'
import { DemoError } from './errors.ts'
import { followRun } from './follow.ts'
import { planCancel, planResume } from './plan.ts'
import type { Terminal } from './terminal.ts'

/** A run with all that it left behind. */
export type RunResult = NonNullable<DemoRunResultQuery['run']>
type Artifact = RunResult['artifacts']['edges'][number]['node']

/** What came of it all. */
export interface Outcome {
  project: string
  /** The run that was cancelled, and the one that resumed from its checkpoint. */
  runs: [RunResult, RunResult]
}

export interface ScenarioOptions {
  terminal: Terminal
  signal: AbortSignal
  /** Makes the names of this demo differ from those of the last. */
  suffix: string
}

const EXAMPLES = 6000
const RESUMED_LEARNING_RATE = 0.003

/**
 * What Trainyard is for, from the dataset to the release: train, cancel and keep the checkpoint, resume from it
 * with other hyperparameters, tag the result.
 *
 * @param api signed in
 * @throws DemoError
 */
export async function playScenario(api: ApiClient, options: ScenarioOptions): Promise<Outcome> {
  const { terminal, signal, suffix } = options
  const done = (what: string, details: string) => {
    signal.throwIfAborted()
    terminal.say(`${terminal.paint('good', '✔')} ${what.padEnd(10)}${details}`)
  }
  const heading = (text: string) => terminal.say(`\n${terminal.paint('strong', text)}`)

  const dataset = `additions-${suffix}`
  await uploadDataset(dataset)
  const project = `arithmetic-${suffix}`
  await createProject(project)

  const first = await startRun()
  heading(`${first.name}: train from the start, and cancel it on the way`)
  await followRun(api, first.id, { ...options, cancelWhen: planCancel() })
  const cancelled = await resultOf(api, first.id)
  const kept = expectCheckpoint(cancelled, 'CANCELLED')
  done('Cancelled', `and kept: ${describe(kept)}`)

  const overrides = { learning_rate: RESUMED_LEARNING_RATE, max_steps: planResume(cancelled) }
  const second = await resumeRun(cancelled, kept)
  heading(
    `${second.name}: resume from ${kept.name}, learning rate ${overrides.learning_rate}, to step ${overrides.max_steps}`,
  )
  await followRun(api, second.id, options)
  const final = expectCheckpoint(await resultOf(api, second.id), 'SUCCEEDED')
  await release(final)
  done('Released', `${describe(final)}, tagged RELEASE`)
  return { project, runs: [cancelled, await resultOf(api, second.id)] }

  async function uploadDataset(name: string): Promise<void> {
    const file = await generateAdditions(EXAMPLES, signal)
    const { createDataset } = await api.send(DemoCreateDatasetDocument, {
      input: { name, type: 'question-answer', source: 'examples/arithmetic' },
    })
    expectResult('create the dataset', createDataset, 'Dataset')
    const { uploadDatasetFile } = await api.send(DemoUploadDatasetFileDocument, {
      input: { dataset: name, file },
    })
    const { sizeBytes } = expectResult('upload the dataset', uploadDatasetFile, 'DatasetFile')
    const { uploadTrainConfig } = await api.send(DemoUploadTrainConfigDocument, {
      input: { dataset: name, file: await trainConfig() },
    })
    expectResult('upload the train config', uploadTrainConfig, 'Dataset')
    done(
      'Dataset',
      `${name}: ${EXAMPLES.toLocaleString('en')} sums, ${humanSize(sizeBytes)}, with its config`,
    )
  }

  async function createProject(name: string): Promise<void> {
    const { createProject } = await api.send(DemoCreateProjectDocument, {
      input: {
        name,
        description: 'A small language model that learns to add',
        command: TRAINING_COMMAND,
        datasetName: dataset,
        status: 'ACTIVE',
        tags: ['demo'],
      },
    })
    expectResult('create the project', createProject, 'Project')
    done('Project', `${name}: its runs execute examples/arithmetic/train.ts`)
  }

  async function startRun() {
    signal.throwIfAborted()
    const { startRun } = await api.send(DemoStartRunDocument, { input: { project } })
    return expectResult('start the run', startRun, 'Run')
  }

  async function resumeRun(run: RunResult, checkpoint: Artifact) {
    const { resumeRun } = await api.send(DemoResumeRunDocument, {
      input: { runId: run.id, artifactId: checkpoint.id, hyperparameters: overrides },
    })
    return expectResult('resume the run', resumeRun, 'Run')
  }

  async function release({ id }: Artifact): Promise<void> {
    const { tagArtifact } = await api.send(DemoTagArtifactDocument, {
      input: { artifactId: id, value: 'RELEASE', notes: 'The last checkpoint of the demo' },
    })
    expectResult('tag the checkpoint', tagArtifact, 'Artifact')
  }
}

async function resultOf(api: ApiClient, id: string): Promise<RunResult> {
  const { run } = await api.send(DemoRunResultDocument, { id })
  if (!run) throw new DemoError('The run was deleted while the demo watched it.')
  return run
}

/** The checkpoint of the highest step, of a run that ended as it should. */
function expectCheckpoint(run: RunResult, status: RunResult['status']): Artifact {
  if (run.status !== status) {
    const reason = run.statusReason === null ? '' : ` (${run.statusReason})`
    throw new DemoError(`${run.name} was expected to end ${status} but ended ${run.status}${reason}.`)
  }
  const checkpoints = run.artifacts.edges.map(({ node }) => node).filter(({ type }) => type === 'CHECKPOINT')
  const [newest] = checkpoints.sort((a, b) => (b.step ?? 0) - (a.step ?? 0))
  if (!newest) throw new DemoError(`${run.name} has no checkpoint.`)
  return newest
}

function describe({ name, sizeBytes }: Artifact): string {
  return `${name} (${humanSize(sizeBytes ?? 0)})`
}
