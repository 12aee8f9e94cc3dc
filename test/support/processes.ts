import { isAlive, processIdentity } from '../../src/execution/processes/identity.ts'

/** Whether a process with this id runs; one that has ended and only waits for its parent does not. */
export function isRunning(pid: number): boolean {
  const identity = processIdentity(pid)
  return identity !== null && isAlive(identity)
}
