import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../config.ts'

/** What anyone may know of the server. */
export interface ServerInfo {
  version: string
  nodeVersion: string
  startedAt: Date
  uptimeSeconds: number
  maxConcurrentRuns: number
  maxDatasetFileBytes: number
  maxTrainConfigBytes: number
  cancelGraceSeconds: number
  freeCommands: boolean
}

export type ServerInfoService = ReturnType<typeof createServerInfoService>

/** What the server is and what it is configured for. */
export function createServerInfoService({
  config,
  now = () => new Date(),
}: {
  config: Config
  now?: () => Date
}) {
  const startedAt = now()
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8'))
  return {
    read: (): ServerInfo => ({
      version: String(version),
      nodeVersion: process.versions.node,
      startedAt,
      uptimeSeconds: (now().getTime() - startedAt.getTime()) / 1000,
      maxConcurrentRuns: config.maxConcurrentRuns,
      maxDatasetFileBytes: config.maxDatasetFileBytes,
      maxTrainConfigBytes: config.maxTrainConfigBytes,
      cancelGraceSeconds: config.cancelGraceSeconds,
      freeCommands: config.freeCommands,
    }),
  }
}
