import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { ROOT } from './server.ts'

const EXAMPLE = join(ROOT, 'examples/arithmetic')

/** The command of the training, as a project has it. */
export const TRAINING_COMMAND = [process.execPath, join(EXAMPLE, 'train.ts'), '{config}']

/** The configuration it is trained with. */
export async function trainConfig(): Promise<File> {
  return new File([await readFile(join(EXAMPLE, 'config.yaml'))], 'config.yaml')
}

/** Generates the dataset, the same one each time. */
export async function generateAdditions(count: number, signal: AbortSignal): Promise<File> {
  const folder = await mkdtemp(join(tmpdir(), 'trainyard-demo-'))
  try {
    const path = join(folder, 'additions.jsonl')
    await execa(
      process.execPath,
      [join(EXAMPLE, 'generate-dataset.ts'), '--out', path, '--count', `${count}`],
      {
        cancelSignal: signal,
      },
    )
    return new File([await readFile(path)], 'additions.jsonl')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
