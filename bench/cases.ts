import type { BenchCase } from './bench-case.ts'
import { fanOut } from './fan-out.ts'
import { lists } from './lists.ts'
import { output } from './output.ts'
import { start } from './start.ts'

/** Every case, in the order of the table. */
export const cases: BenchCase[] = [fanOut, output, lists, start]
