import { z } from 'zod'
import { parseInput } from '../input.ts'
import type { PlacementWishes } from './placement.ts'

/** What a model server is started with: a change of any of it takes another process. */
export interface ServerSettings extends PlacementWishes {
  name: string
  modelPath: string
  artifactId: string | null
  modelVersion: string | null
  engine: string
  extraArgs: string[]
  gpuCount: number | null
  preferredGpu: number | null
  healthPath: string
}

const StoredSettings = z.object({
  name: z.string(),
  modelPath: z.string(),
  artifactId: z.string().nullable(),
  modelVersion: z.string().nullable(),
  engine: z.string(),
  extraArgs: z.array(z.string()),
  gpuCount: z.number().nullable(),
  preferredGpu: z.number().nullable(),
  healthPath: z.string(),
  // What was stored before there were other nodes says nothing of them.
  wantedNodeId: z.string().nullable().default(null),
  wantedLabels: z
    .record(z.string(), z.string())
    .nullish()
    .transform((labels) => labels ?? {}),
}) satisfies z.ZodType<ServerSettings>

/** The settings of a deployment, or those that were stored of a model server. */
export function settingsOf(stored: unknown): ServerSettings {
  return parseInput(StoredSettings, stored)
}

/** Whether a model server of the one settings serves as one of the others would; their version is only a label. */
export function servesTheSame(one: ServerSettings, other: ServerSettings): boolean {
  return JSON.stringify(relevant(one)) === JSON.stringify(relevant(other))
}

function relevant(settings: ServerSettings): unknown[] {
  const { name, modelPath, engine, extraArgs, gpuCount, preferredGpu, healthPath } = settings
  const labels = Object.entries(settings.wantedLabels).sort()
  return [
    ...[name, modelPath, engine, extraArgs, gpuCount, preferredGpu, healthPath],
    ...[settings.wantedNodeId, labels],
  ]
}
