/** Values that were used recently, up to a total size. */
export interface RecentlyUsed<Value> {
  get(key: string): Value | undefined
  /** Keeps a value; what was not used for longest goes when there is no room. */
  add(key: string, value: Value, size: number): void
}

/** Keeps values up to `maxSize` in all; a value larger than that is not kept. */
export function createRecentlyUsed<Value>(maxSize: number): RecentlyUsed<Value> {
  /** In the order of their last use. */
  const entries = new Map<string, { value: Value; size: number }>()
  let total = 0
  let newest: string | null = null

  const remove = (key: string) => {
    const entry = entries.get(key)
    if (!entry) return undefined
    entries.delete(key)
    total -= entry.size
    return entry
  }

  const put = (key: string, entry: { value: Value; size: number }) => {
    entries.set(key, entry)
    total += entry.size
    newest = key
  }

  return {
    get(key) {
      // Often the same again and again, which need not move.
      if (key === newest) return entries.get(key)?.value
      const entry = remove(key)
      if (entry) put(key, entry)
      return entry?.value
    },
    add(key, value, size) {
      remove(key)
      put(key, { value, size })
      for (const oldest of entries.keys()) {
        if (total <= maxSize) break
        remove(oldest)
      }
    },
  }
}
