/** The ends of a conversation. */
export type Party = 'client' | 'model server'

/** Watches whether a request still gets on. */
export interface Patience {
  /** Something has come, or has been taken. */
  refresh(): void
  /** From now on the other one waits for this one. */
  waitFor(who: Party): void
  /** The request is over. */
  end(): void
}

/** @param onEnd is told who has kept the other waiting for `ms` */
export function createPatience(ms: number, onEnd: (who: Party) => void): Patience {
  let waitingFor: Party = 'model server'
  const timer = setTimeout(() => onEnd(waitingFor), ms)
  return {
    refresh: () => void timer.refresh(),
    waitFor(who) {
      waitingFor = who
      timer.refresh()
    },
    end: () => clearTimeout(timer),
  }
}
