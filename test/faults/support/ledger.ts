import { expect } from 'vitest'
import { type Writer, WrongAnswer } from './writers.ts'

/** Remembers what a server said to each write of a writer, to hold it to its word. */
export interface Ledger {
  writer: Writer
  stored: Set<number>
  refused: Set<number>
  /** Sent, but never answered: either there or not. */
  unknown: Set<number>
  /** Sends the next write, and notes the answer; false when there was none. @throws WrongAnswer */
  write(): Promise<boolean>
  /** Checks that all that was acknowledged is there, whole, and nothing that was refused. */
  check(): Promise<void>
}

/** A ledger of a writer that has not written yet. */
export function createLedger(writer: Writer): Ledger {
  const stored = new Set<number>()
  const refused = new Set<number>()
  const unknown = new Set<number>()
  let last = 0

  return {
    writer,
    stored,
    refused,
    unknown,
    async write() {
      const n = ++last
      try {
        const said = await writer.write(n)
        ;(said === 'stored' ? stored : refused).add(n)
        return true
      } catch (error) {
        if (error instanceof WrongAnswer) throw error
        unknown.add(n)
        return false
      }
    },
    async check() {
      const present = await writer.present()
      const newest = Math.max(0, ...stored)
      const missing = writer.keeps === 'all' ? [...stored].filter((n) => !present.includes(n)) : []
      const unexpected = present.filter((n) => {
        if (writer.keeps === 'last') return n !== newest && !(unknown.has(n) && n > newest)
        // What could not be taken away again is still there.
        return !unknown.has(n) && !(writer.keeps === 'all' ? stored : refused).has(n)
      })
      const twice = present.length - new Set(present).size
      expect({ writer: writer.name, missing, unexpected, twice }).toEqual({
        writer: writer.name,
        missing: [],
        unexpected: [],
        twice: 0,
      })
      if (writer.keeps === 'last' && newest > 0) expect(present).toHaveLength(1)
      // What is there of the unknown stays from here on, and what is not never comes.
      if (writer.keeps !== 'none') {
        for (const n of unknown) if (present.includes(n)) stored.add(n)
        unknown.clear()
      }
    },
  }
}
