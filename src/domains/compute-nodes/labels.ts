import { z } from 'zod'
import type { Transaction } from '../../db/database.ts'
import { ValidationError } from '../../errors.ts'
import { NameInput, UNSAFE_KEY } from '../input.ts'

/** What is said of a node, or must be said of it, by name. */
export type Labels = Record<string, string>

/** The most labels that are given at a time. */
const MAX_LABELS = 50
/** The most that a node may have: what people said of it leaves room for what its machine says. */
const MAX_OF_NODE = 2 * MAX_LABELS

/** Labels by their names, each of which there is once. */
export const LabelsInput = z
  .array(
    z.object({
      // As the name of a label it would be lost where labels are an object, and a wish with it.
      name: NameInput.refine((name) => name !== UNSAFE_KEY, `Must not be ${UNSAFE_KEY}.`),
      value: NameInput,
    }),
  )
  .max(MAX_LABELS, `Must be at most ${MAX_LABELS}.`)
  .refine(
    (labels) => new Set(labels.map(({ name }) => name)).size === labels.length,
    'Must not name a label twice.',
  )

/** A list of labels, by name. */
export function toLabels(labels: { name: string; value: string }[]): Labels {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]))
}

/**
 * Gives a node these labels beside those that it has, with these values.
 *
 * @throws ValidationError when that makes too many
 */
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
  const count = await tx.computeNodeLabel.count({ where: { nodeId } })
  if (count <= MAX_OF_NODE) return
  throw ValidationError.at('labels', `Are ${count} with those that the node has: at most ${MAX_OF_NODE}.`)
}
