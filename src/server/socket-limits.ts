import type { Principal } from '../domains/accounts/principal.ts'
import { clientOf } from '../network.ts'

/** Sockets of one address whose clients have said that they are nobody in particular. */
const MAX_ANONYMOUS_PER_ADDRESS = 100

/** Keeps count of open sockets. */
export interface SocketLimits {
  /** Takes in a socket that has not said yet whom it speaks for; false when there are too many of them. */
  open(socket: object, address: string): boolean
  /** Counts the socket for whom it speaks from now on; false when they have too many. */
  assign(socket: object, principal: Principal | null, address: string): boolean
  /** The socket is closed. */
  close(socket: object): void
}

/**
 * Limits the sockets of each user, of each run, and of each address that are not signed in.
 *
 * @param perUser also how many of an address may be about to say who they are: a dashboard that comes back
 *   after a restart does it with all its sockets at once
 */
export function createSocketLimits(perUser: number): SocketLimits {
  const counts = new Map<string, number>()
  const places = new Map<object, string>()

  function leave(socket: object) {
    const place = places.get(socket)
    if (place === undefined) return
    places.delete(socket)
    const left = (counts.get(place) ?? 1) - 1
    if (left === 0) counts.delete(place)
    else counts.set(place, left)
  }

  function enter(socket: object, place: string, maximum: number): boolean {
    leave(socket)
    const taken = counts.get(place) ?? 0
    if (taken >= maximum) return false
    counts.set(place, taken + 1)
    places.set(socket, place)
    return true
  }

  return {
    open: (socket, address) => enter(socket, `new ${clientOf(address)}`, perUser),
    assign(socket, principal, address) {
      if (!principal) return enter(socket, `nobody ${clientOf(address)}`, MAX_ANONYMOUS_PER_ADDRESS)
      const id = principal.kind === 'user' ? principal.userId : principal.runId
      return enter(socket, `${principal.kind} ${id}`, perUser)
    },
    close: leave,
  }
}
