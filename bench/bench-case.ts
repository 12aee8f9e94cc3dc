/** One thing that is measured, against a limit that is measured in the same run. */
export interface BenchCase {
  /** Its name on the command line. */
  name: string
  /** What is measured and against what, in a sentence. */
  description: string
  /** Measures; everything it makes it takes away again. Runs in a process of its own. */
  run(options: BenchOptions): Promise<Measurement[]>
}

/** How large a run of the benchmark is. */
export interface BenchOptions {
  /** 1 for the sizes that the goals are stated for, less for a quick look. */
  scale: number
}

/** A line of the table. */
export interface Measurement {
  /** What was measured, e.g. `messages to 1,000 subscribers`. */
  what: string
  /** With its unit, e.g. `41,200 messages/s`. */
  measured: string
  /** What it is compared with, and how much that was; null where there is nothing to compare with. */
  limit: { what: string; measured: string } | null
  /** Measured by limit, and what was promised for it. */
  ratio?: { value: number; goal?: Goal }
}

/** Where a ratio must lie. */
export type Goal = { atLeast: number } | { atMost: number }
