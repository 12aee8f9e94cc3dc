/** How many requests each model server is answering now, as far as they come through the gateway. */
export interface Load {
  /** A request begins. @returns what to call when it is over */
  begin(modelServerId: string): () => void
  count(modelServerId: string): number
}

/** Counts from nothing: what an earlier server passed on, nobody knows any more. */
export function createLoad(): Load {
  const counts = new Map<string, number>()
  const add = (id: string, change: number) => {
    const count = (counts.get(id) ?? 0) + change
    if (count > 0) counts.set(id, count)
    else counts.delete(id)
  }
  return {
    begin(id) {
      add(id, 1)
      let isOver = false
      return () => {
        if (!isOver) add(id, -1)
        isOver = true
      }
    },
    count: (id) => counts.get(id) ?? 0,
  }
}
