import { readFileSync } from 'node:fs'

/** What the kernel counts in: a hundredth of a second on every Linux that there is. */
const TICKS_PER_SECOND = 100

/** For how long a process has had a core so far, in seconds, all of its threads together. */
export function processorSecondsOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the name in parentheses, which may hold anything.
  const [, , , , , , , , , , , user, system] = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(user) + Number(system)) / TICKS_PER_SECOND
}
