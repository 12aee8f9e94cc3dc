import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, mkdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { DataFolderInUseError, lockDataFolder } from '../db/lock.ts'
import { createFile, readFileIfAny } from '../execution/supervisor/atomic-file.ts'
import { AgentError } from './errors.ts'

/** The folder of an agent, which nobody else has while it is open. */
export interface AgentFolder {
  /** By which the server knows the agent again. */
  installationId: string
  /** Everything of an execution lies in a folder here that is named by its id. */
  executions: string
  /** Files that commands read, by their checksums. */
  cache: string
  close(): Promise<void>
}

const Installation = z.object({ installationId: z.string().min(16) })

/**
 * Opens the folder of an agent, and makes it at the first start.
 *
 * @throws AgentError when it cannot be used, or another agent uses it
 */
export async function openAgentFolder(path: string): Promise<AgentFolder> {
  const dataDir = await prepare(path)
  const close = await lockDataFolder(dataDir, 'agent').catch((error: unknown) => {
    throw error instanceof DataFolderInUseError ? new AgentError(error.message, { cause: error }) : error
  })
  try {
    return {
      installationId: await readInstallation(join(dataDir, 'installation.json')),
      executions: join(dataDir, 'executions'),
      cache: join(dataDir, 'cache'),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** @returns the path without links, as the system tells it of open files */
async function prepare(path: string): Promise<string> {
  try {
    for (const folder of ['executions', 'cache']) {
      await mkdir(join(path, folder), { recursive: true, mode: 0o700 })
    }
    await access(path, constants.W_OK | constants.X_OK)
    return await realpath(path)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new AgentError(`The data folder ${path} cannot be used: ${reason}.`, { cause: error })
  }
}

async function readInstallation(file: string): Promise<string> {
  // Written once only: an agent must start on a disk that a training has filled.
  if ((await readFileIfAny(file)) === null) {
    await createFile(file, `${JSON.stringify({ installationId: randomBytes(24).toString('base64url') })}\n`)
  }
  try {
    return Installation.parse(JSON.parse(await readFile(file, 'utf8'))).installationId
  } catch (error) {
    throw new AgentError(`${file} cannot be read: remove it, and the agent registers anew.`, { cause: error })
  }
}
