import type { Database, Transaction } from '../../db/database.ts'
import type { MetricPointRow, PointSummary, RollUpRow } from '../../db/statements.ts'

/**
 * A long series is rolled up: for every range of 4^level steps, from a finest level on up to this one, a row
 * says what its points come to. So a chart reads about as many rows as it draws, however many points there
 * are. The widest ranges are of 1,048,576 steps, of which all steps that there can be make 4,096.
 */
export const TOP_LEVEL = 10
/** From this many points on a series is rolled up; what is shorter is read as it is. */
const ROLL_UP_FROM = 10_000
/** The finest level is one where a row stands for this many points or more, so that rows stay few for sparse steps. */
const WORTHWHILE = 8

/** A series as it was, and the points that it has got since. */
export interface GrownSeries {
  id: number
  pointCount: number
  rollUpLevel: number | null
  added: MetricPointRow[]
}

/** Brings the roll-ups of series up to date with the points that were stored just now. */
export async function keepRollUps(database: Database, tx: Transaction, grown: GrownSeries[]): Promise<void> {
  const rows = grown.flatMap((series) =>
    series.rollUpLevel === null ? [] : rollUp(series, series.rollUpLevel),
  )
  if (rows.length > 0) await database.sql.addToRollUps(tx, rows)
  for (const series of grown) {
    if (await isDueForBuild(tx, series)) await build(database, tx, series)
  }
}

/**
 * A series is rolled up once it is long enough; and anew when, looked at whenever it has doubled, its steps
 * have become so much denser or sparser that another level would be the finest one now.
 */
async function isDueForBuild(tx: Transaction, { id, pointCount, rollUpLevel, added }: GrownSeries) {
  const count = pointCount + added.length
  if (rollUpLevel === null) return count >= ROLL_UP_FROM
  const doublings = (points: number) => Math.floor(Math.log2(points / ROLL_UP_FROM))
  if (doublings(count) === doublings(pointCount)) return false
  const rows = await tx.metricRollUp.count({ where: { seriesId: id, level: rollUpLevel } })
  const perRow = count / rows
  return perRow < WORTHWHILE / 2 || (perRow >= WORTHWHILE * 4 && rollUpLevel > 0)
}

/** Rolls all points of a series up anew. */
async function build({ sql }: Database, tx: Transaction, { id, pointCount, added }: GrownSeries) {
  await tx.metricRollUp.deleteMany({ where: { seriesId: id } })
  let finest = 0
  while (finest < TOP_LEVEL) {
    const ranges = await sql.countRanges(tx, id, finest)
    if (ranges * WORTHWHILE <= pointCount + added.length) break
    finest++
  }
  for (let level = finest; level <= TOP_LEVEL; level++) {
    await sql.buildRollUps(tx, id, level, level === finest ? null : level - 1)
  }
  await tx.metricSeries.update({ where: { id }, data: { rollUpLevel: finest } })
}

/** What the added points come to in the ranges of every level. */
function rollUp({ id, added }: GrownSeries, finest: number): RollUpRow[] {
  const rows: RollUpRow[] = []
  let parts = added.map(toSummary)
  for (let level = finest; level <= TOP_LEVEL; level++) {
    const ranges = new Map<number, PointSummary>()
    for (const part of parts) {
      const range = rangeOf(part.firstStep, level)
      const summary = ranges.get(range)
      if (summary) add(summary, part)
      else ranges.set(range, { ...part })
    }
    for (const [range, summary] of ranges) rows.push({ seriesId: id, level, range, ...summary })
    parts = [...ranges.values()]
  }
  return rows
}

function toSummary({ step, value, nonFinite }: MetricPointRow): PointSummary {
  const finite = nonFinite === 0 ? value : null
  return {
    firstStep: step,
    lastStep: step,
    min: finite,
    max: finite,
    mean: finite,
    lastValue: finite,
    count: 1,
    nonFiniteCount: nonFinite === 0 ? 0 : 1,
  }
}

/** Adds to a summary what arrived later. */
function add(to: PointSummary, later: PointSummary): void {
  if (later.min !== null) to.min = to.min === null ? later.min : Math.min(to.min, later.min)
  if (later.max !== null) to.max = to.max === null ? later.max : Math.max(to.max, later.max)
  if (later.mean !== null) {
    const before = to.count - to.nonFiniteCount
    const more = later.count - later.nonFiniteCount
    // Weighted before they are added, because the largest numbers have no sum.
    to.mean = (to.mean ?? 0) * (before / (before + more)) + later.mean * (more / (before + more))
  }
  if (later.lastStep > to.lastStep) to.lastValue = later.lastValue
  else if (later.lastStep === to.lastStep) to.lastValue = later.lastValue ?? to.lastValue
  to.firstStep = Math.min(to.firstStep, later.firstStep)
  to.lastStep = Math.max(to.lastStep, later.lastStep)
  to.count += later.count
  to.nonFiniteCount += later.nonFiniteCount
}

/** The range of a level that a step lies in. */
export function rangeOf(step: number, level: number): number {
  return step >> (2 * level)
}
