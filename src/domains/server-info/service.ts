import type { Config } from '../../config.ts'
import { VERSION } from '../../version.ts'

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
  return {
    read: (): ServerInfo => ({
      version: VERSION,
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
