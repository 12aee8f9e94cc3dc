import type { BenchCase } from './bench-case.ts'
import { fanOut } from './fan-out.ts'
import { gateway } from './gateway.ts'
import { ingest } from './ingest.ts'
import { lists } from './lists.ts'
import { nodes } from './nodes.ts'
import { output } from './output.ts'
import { series } from './series.ts'
import { start } from './start.ts'

/** Every case, in the order of the table. */
export const cases: BenchCase[] = [fanOut, ingest, output, series, lists, gateway, nodes, start]
