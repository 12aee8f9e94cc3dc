import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { LaunchSpec } from '../../../execution/executor.ts'
import { isErrno } from '../../../storage/errno.ts'
import { readFileContents } from '../../../storage/file-contents.ts'
import { listTree } from '../../../storage/tree.ts'

/** A file that a command reads. */
export interface InputFile {
  /** Its place in the input; empty where that is one file. */
  path: string
  sizeBytes: number
  /** Hex. */
  sha256: string
}

/** A file or folder that a command reads. */
export interface Input {
  /** Where the command expects it, as seen from this machine: an absolute path. */
  path: string
  isFolder: boolean
  files: InputFile[]
}

/** The most checksums that are remembered. */
const REMEMBERED = 10_000

/** Lists what commands read, with checksums by which an agent knows what it has already. */
export function createInputLister() {
  const checksums = new Map<string, string>()

  async function describe(file: string, path: string): Promise<InputFile | null> {
    try {
      const { size, mtimeMs } = await stat(file)
      const key = `${file} ${size} ${mtimeMs}`
      const sha256 = checksums.get(key) ?? (await readFileContents(file)).sha256
      if (checksums.size >= REMEMBERED) checksums.clear()
      checksums.set(key, sha256)
      return { path, sizeBytes: size, sha256 }
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return null
      throw error
    }
  }

  return {
    /** What a command reads; what is not there is left out. */
    async list({ carried }: LaunchSpec): Promise<Input[]> {
      const inputs: Input[] = []
      for (const path of carried?.inputs ?? []) {
        const isFolder = await isFolderAt(path)
        if (isFolder === null) continue
        const names = isFolder ? await filesIn(path) : ['']
        const files: InputFile[] = []
        for (const name of names) {
          const file = await describe(name === '' ? path : join(path, name), name)
          if (file) files.push(file)
        }
        inputs.push({ path, isFolder, files })
      }
      return inputs
    },
  }
}

async function isFolderAt(path: string): Promise<boolean | null> {
  try {
    return (await stat(path)).isDirectory()
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null
    throw error
  }
}

/** The files below a folder, by relative paths, those included that links inside of it lead to. */
async function filesIn(folder: string): Promise<string[]> {
  const root = await realpath(folder)
  const { entries } = await listTree(root)
  const paths: string[] = []
  for (const { kind, path } of entries) {
    if (kind === 'file' || (kind === 'link' && (await stat(join(root, path))).isFile())) paths.push(path)
  }
  return paths
}
