import { mkdir } from 'node:fs/promises'
import type { Logger } from 'pino'
import { createPauses, type PauseLimits } from '../client/pauses.ts'
import { outageOf } from '../outage.ts'
import { type Assignment, type ExecutionPlace, readAssignment, storeAssignment } from './assignment.ts'
import type { Cache } from './cache.ts'
import type { Connection } from './connection.ts'
import { DownloadError, MismatchError } from './download.ts'
import { UnreachableError } from './errors.ts'

/** What bringing the inputs of commands needs. */
export interface InputDependencies {
  connection: Connection
  cache: Cache
  log: Logger
}

/** What a command is to read is not to be had any more; the message is for people. */
export class InputGoneError extends Error {
  override readonly name = 'InputGoneError'
}

const PAUSES: PauseLimits = { firstMs: 500, longestMs: 30_000 }

/**
 * Makes the folders of a command and brings what it reads. Whatever goes wrong that may be better later is tried
 * again: a connection, a full disk, a link that has expired.
 *
 * @throws InputGoneError when a file is not on the server any more, and RefusedError when the execution is not
 */
export async function prepareInputs(
  { connection, cache, log }: InputDependencies,
  executionId: string,
  place: ExecutionPlace,
  signal: AbortSignal,
): Promise<Assignment> {
  const pauses = createPauses(PAUSES)
  let isLinkOld = false
  for (;;) {
    try {
      await mkdir(place.process, { recursive: true, mode: 0o700 })
      const known = isLinkOld ? null : await readAssignment(place)
      const assignment =
        known ?? (await storeAssignment(await connection.assignment(executionId, { signal }), place))
      await bring(assignment, place)
      return assignment
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof DownloadError && error.isGone) {
        throw new InputGoneError('What it reads is not on the server any more.', { cause: error })
      }
      isLinkOld = error instanceof DownloadError || error instanceof MismatchError
      const mayPass = isLinkOld || error instanceof UnreachableError || outageOf(error) === 'disk-full'
      if (!mayPass) throw error
      log.warn({ err: error }, 'what the command reads could not be brought; trying again')
      await pauses.wait(signal)
    }
  }

  async function bring({ inputs, output }: Assignment, { root }: ExecutionPlace): Promise<void> {
    await mkdir(root, { recursive: true, mode: 0o700 })
    if (output !== null) await mkdir(output, { recursive: true })
    for (const { place: folder, isFolder, files } of inputs) {
      if (isFolder) await mkdir(folder, { recursive: true })
      for (const file of files) {
        await cache.provide(file, signal)
        pauses.reset()
      }
    }
  }
}
