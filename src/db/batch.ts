/**
 * Joins what is asked for one by one, at the same moment, into one question: the rows that belong to each item of a
 * list take one statement, not one for each.
 *
 * @param load finds what there is for some keys
 * @returns what there is for a key, or undefined
 */
export function createBatch<Key, Value>(
  load: (keys: Key[]) => Promise<ReadonlyMap<Key, Value>>,
): (key: Key) => Promise<Value | undefined> {
  let next: { keys: Set<Key>; loaded: Promise<ReadonlyMap<Key, Value>> } | null = null

  function begin() {
    const keys = new Set<Key>()
    const loaded = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      next = null
      return load([...keys])
    })
    return { keys, loaded }
  }

  return async (key) => {
    next ??= begin()
    next.keys.add(key)
    return (await next.loaded).get(key)
  }
}
