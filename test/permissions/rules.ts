import {
  OUTCOMES,
  type Outcome,
  PARTS,
  PLACES,
  ROLES,
  type Role,
  RULES,
  SUBJECTS,
  type Subject,
} from './table.ts'

/** One cell of the table: what must come of it when somebody asks about something. */
export interface Expectation {
  subject: Subject
  role: Role
  outcome: Outcome
}

/** What is expected at each place of the table, by the place. */
export const EXPECTED: ReadonlyMap<string, Expectation[]> = new Map(
  linesOf(PLACES).map((line) => {
    const [, place = '', rule = ''] = /^(.*\S)\s+(\w+)$/.exec(line) ?? []
    const expected = expectationsOf(rule)
    if (expected.length === 0) throw new Error(`There is no rule for ${line}`)
    return [place, expected]
  }),
)

/** Fields that have no rule of their own. */
export const PART_FIELDS: readonly string[] = PARTS.trim().split(/\s+/)

/** The field of a place, without what it says of how it is asked: `Query.runs (of a project)` is `Query.runs`. */
export function fieldOf(place: string): string {
  return place.replace(/ \(.*$/, '')
}

function expectationsOf(wanted: string): Expectation[] {
  return linesOf(RULES).flatMap((line) => {
    const [rule, subject, ...cells] = line.split(/\s+/)
    if (rule !== wanted) return []
    return ROLES.map((role, index) => ({
      subject: oneOf(SUBJECTS, subject),
      role,
      outcome: oneOf(OUTCOMES, cells[index]),
    }))
  })
}

function linesOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('rule '))
}

function oneOf<Known extends string>(known: readonly Known[], word: string | undefined): Known {
  const found = known.find((candidate) => candidate === word)
  if (!found) throw new Error(`The table says ${word}, which is none of ${known.join(', ')}.`)
  return found
}
