import { bootId, processIdentity } from '../processes/identity.ts'
import type { ClaimRecord, ProcessRecord } from './records.ts'

/** Why nobody can tell how a command ended whose supervisor is dead, in words for people. */
export function lostReason(supervisor: ClaimRecord, started: ProcessRecord | null): string {
  if (supervisor.identity.bootId !== bootId()) return 'the machine was restarted'
  if (!started) {
    return 'its supervisor was killed before it recorded a start, so whether the command ran is unknown'
  }
  const holder = processIdentity(started.identity.pid)
  return holder && holder.startTime !== started.identity.startTime
    ? 'its supervisor was killed, and its process id belongs to another program now, so its exit status is unknown'
    : 'its supervisor was killed, so its exit status is unknown'
}
