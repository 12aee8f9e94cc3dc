import { z } from 'zod'
import type { Transaction } from '../../db/database.ts'
import { NameInput } from '../input.ts'

/** What is said of a node, or must be said of it, by name. */
export type Labels = Record<string, string>

/** The most labels that a node may have. */
const MAX_LABELS = 50

/** Labels by their names, each of which there is once. */
export const LabelsInput = z
  .array(z.object({ name: NameInput, value: NameInput }))
  .max(MAX_LABELS, `Must be at most ${MAX_LABELS}.`)
  .refine(
    (labels) => new Set(labels.map(({ name }) => name)).size === labels.length,
    'Must not name a label twice.',
  )

/** A list of labels, by name. */
export function toLabels(labels: { name: string; value: string }[]): Labels {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]))
}

/** Gives a node these labels beside those that it has, with these values. */
export async function setLabels(
  tx: Transaction,
  nodeId: string,
  labels: { name: string; value: string }[],
): Promise<void> {
  for (const { name, value } of labels) {
    await tx.computeNodeLabel.upsert({
      where: { nodeId_name: { nodeId, name } },
      create: { nodeId, name, value },
      update: { value },
    })
  }
}
