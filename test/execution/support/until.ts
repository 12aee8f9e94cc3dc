import { setTimeout } from 'node:timers/promises'

/**
 * Waits until the condition gives something truthy, and returns that. The limit only ends a test that
 * would never end: on a busy machine everything may take seconds.
 */
export async function until<Value>(
  what: string,
  condition: () => Value | Promise<Value>,
  limit = 45_000,
): Promise<NonNullable<Value>> {
  const end = Date.now() + limit
  for (;;) {
    const value = await condition()
    if (value) return value
    if (Date.now() > end) throw new Error(`waited ${limit} ms in vain until ${what}`)
    await setTimeout(15)
  }
}
