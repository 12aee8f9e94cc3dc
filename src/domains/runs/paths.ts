import { join } from 'node:path'

/** The folder of a run on disk. */
export interface RunPaths {
  /** Everything of the run lies in here. */
  root: string
  /** What the script reads: the uploaded configuration with the run's hyperparameters merged in. */
  config: string
  /** The files of the dataset. */
  dataset: string
  /** Where checkpoints and results are found. */
  output: string
  /** The supervisor's folder: launch specification, exit record, stdout.log and stderr.log. */
  process: string
}

/** Where things of a run lie under the folder of all runs. */
export function runPaths(runsDir: string, runId: string): RunPaths {
  const root = join(runsDir, runId)
  return {
    root,
    config: join(root, 'config.yaml'),
    dataset: join(root, 'dataset'),
    output: join(root, 'output'),
    process: join(root, 'process'),
  }
}
