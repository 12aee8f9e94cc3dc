import { setTimeout as sleep } from 'node:timers/promises'

/** Asks again and again until the answer is there; fails, saying what it waited for, when it takes far too long. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  timeoutMs = 45_000,
): Promise<Exclude<T, null | undefined | false>> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (isThere(answer)) return answer
    if (Date.now() > deadline) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`)
    await sleep(20)
  }
}

function isThere<T>(answer: T): answer is Exclude<T, null | undefined | false> {
  return Boolean(answer)
}
