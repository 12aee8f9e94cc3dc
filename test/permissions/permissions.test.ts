import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kindOfId, newId } from '../../src/ids.ts'
import type { Answer, ApiClient } from '../support/client.ts'
import type { Asking } from './asking.ts'
import { MUTATIONS } from './mutations.ts'
import {
  fieldsBetweenObjects,
  guardedFields,
  idOf,
  linkFields,
  nestedAsking,
  nodeTypes,
  rootFields,
  valuesAt,
} from './nested.ts'
import { QUERIES } from './queries.ts'
import { EXPECTED, type Expectation, fieldOf, PART_FIELDS } from './rules.ts'
import { operationFor, outcomeOf, outcomeOfCode } from './send.ts'
import { createWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.stop())

const places = [...EXPECTED.keys()]
const isIn = (list: string[]) => (place: string) => list.includes(fieldOf(place))

describe('the table', () => {
  const reachable = [
    ...rootFields(),
    ...nodeTypes(),
    ...fieldsBetweenObjects(),
    ...guardedFields(),
    ...linkFields(),
  ]

  test('has a rule for everything that the schema leads to', () => {
    const covered = new Set([...places.map(fieldOf), ...PART_FIELDS])

    expect(reachable.filter((place) => !covered.has(place))).toEqual([])
  })

  test('has none for what is not there', () => {
    expect([...places.map(fieldOf), ...PART_FIELDS].filter((place) => !reachable.includes(place))).toEqual([])
  })
})

/** Asks at a place for everybody about everything. @returns what did not come out as the table says */
async function differences(place: string, outcomeFor: (cell: Expectation) => Promise<string>) {
  const found: string[] = []
  for (const cell of EXPECTED.get(place) ?? []) {
    const outcome = await outcomeFor(cell)
    if (outcome !== cell.outcome) found.push(`${cell.subject} ${cell.role}: ${outcome}, not ${cell.outcome}`)
  }
  return found
}

describe('a root field', () => {
  const operations = places.filter(isIn(rootFields().filter((field) => !field.startsWith('Subscription.'))))

  test.each(operations)('%s', async (place) => {
    const askFor = QUERIES[place] ?? MUTATIONS[place]
    if (!askFor) throw new Error(`Nothing says how to ask for ${place}`)
    const [root = '', field = ''] = fieldOf(place).split('.')
    const kind = root === 'Query' ? 'query' : 'mutation'

    const found = await differences(place, async ({ subject, role }) => {
      const asking = await askFor(world, subject, role)
      const client = asking.as ?? world.as(role)
      const text = operationFor(kind, field, asking.args, asking.selection)
      const answer = await client.upload<Record<string, unknown>, object>(
        text,
        asking.args,
        asking.files ?? {},
      )
      const outcome = outcomeOfRoot(answer, field, asking)
      if (outcome === 'ok') asking.spend?.()
      if (outcome === 'absent') return (await isAsIfNotThere(client, text, asking, answer)) ?? outcome
      return outcome
    })

    expect(found).toEqual([])
  })
})

function outcomeOfRoot(answer: Answer<Record<string, unknown>>, field: string, asking: Asking): string {
  const value = partOf(answer.data?.[field])
  const miscounted = miscount(value)
  if (miscounted) return miscounted
  if (!answer.errors && asking.among !== undefined) {
    return JSON.stringify(value).includes(`"${asking.among}"`) ? 'ok' : 'absent'
  }
  const code =
    answer.errors?.[0]?.extensions?.code ??
    (typeof value === 'object' && value !== null && 'code' in value ? value.code : undefined)
  return asking.passes?.includes(String(code)) ? 'ok' : outcomeOf(answer, value)
}

/** What came of the only part of a batch; anything else as it is. */
function partOf(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('results' in value)) return value
  return Array.isArray(value.results) ? value.results[0] : null
}

/** What is wrong when a list does not count what is in it, and so tells of what is not. */
function miscount(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || !('edges' in value) || !('totalCount' in value))
    return null
  const shown = Array.isArray(value.edges) ? value.edges.length : 0
  return shown === value.totalCount || shown === 100 ? null : `${value.totalCount} counted, ${shown} shown`
}

/** Compares what is said of something that one may not see with what is said of something that is not there. */
async function isAsIfNotThere(
  client: ApiClient,
  text: string,
  asking: Asking,
  answer: Answer<unknown>,
): Promise<string | null> {
  const { about } = asking
  if (about === undefined) return null
  const kind = kindOfId(about)
  const unknown = kind === null ? `${about}-not` : newId(kind)
  const args: object = JSON.parse(JSON.stringify(asking.args).replaceAll(about, unknown))
  const other = await client.upload<unknown, object>(text, args, asking.files ?? {})
  const said = ({ data, errors }: Answer<unknown>, id: string) =>
    JSON.stringify({ data, errors }).replaceAll(id, '…')
  return said(answer, about) === said(other, unknown) ? null : `absent, but ${said(answer, about)}`
}

describe('a node', () => {
  test.each(places.filter(isIn(nodeTypes())))('%s', async (place) => {
    const type = /\((\w+)\)/.exec(place)?.[1] ?? ''

    const found = await differences(place, async ({ subject, role }) => {
      const id = idOf(world, type, subject, role)
      const text = 'query ($id: ID!) { node(id: $id) { __typename id } }'
      const answer = await world.as(role).ask<{ node: { __typename: string } | null }, object>(text, { id })
      return outcomeOf(answer, answer.data?.node)
    })

    expect(found).toEqual([])
  })
})

describe('a field of an object', () => {
  test.each(places.filter(isIn([...fieldsBetweenObjects(), ...guardedFields()])))('%s', async (place) => {
    const found = await differences(place, async ({ subject, role }) => {
      const { text, id, path } = await askingOfField(place, { subject, role })
      const answer = await world.as(role).ask<object, object>(text, { id })
      return outcomeOf(answer, valuesAt(answer.data, path))
    })

    expect(found).toEqual([])
  })
})

/** A project of the owner that names a dataset which its members may not see. */
let projectWithForeignDataset: Promise<{ id: string }> | undefined

async function askingOfField(place: string, { subject, role }: Pick<Expectation, 'subject' | 'role'>) {
  if (place !== 'Project.dataset (foreign)') return nestedAsking(world, fieldOf(place), subject, role)
  projectWithForeignDataset ??= world.newProject('shared', world.things('foreign').datasetName)
  const { id } = await projectWithForeignDataset
  return { ...nestedAsking(world, 'Project.dataset', 'shared', role), id }
}

describe('a download', () => {
  test.each(places.filter(isIn(linkFields())))('%s', async (place) => {
    const [type = '', field = ''] = place.split('.')

    const found = await differences(place, async ({ subject, role }) => {
      const answer =
        type === 'AuditExport'
          ? await world
              .as(role)
              .ask<object, object>(
                'mutation { exportAudit(input: { format: CSV }) { ... on AuditExport { url } } }',
              )
          : await world
              .as(role)
              .ask<object, object>(`query ($id: ID!) { node(id: $id) { ... on ${type} { ${field} } } }`, {
                id: idOf(world, type, subject, role),
              })
      const [url] = valuesAt(answer.data, [type === 'AuditExport' ? 'exportAudit' : 'node', field])
      const outcome = outcomeOf(answer, url)
      if (outcome !== 'ok') return outcome
      const response = await fetch(String(url))
      await response.arrayBuffer()
      return response.status === 200 ? 'ok' : `status ${response.status}`
    })

    expect(found).toEqual([])
  })
})

describe('a subscription', () => {
  test.each(places.filter((place) => place.startsWith('Subscription.')))('%s', async (place) => {
    const [, field = ''] = fieldOf(place).split('.')

    const found = await differences(place, async ({ subject, role }) => {
      const asking = await QUERIES[place]?.(world, subject, role)
      if (!asking) throw new Error(`Nothing says how to ask for ${place}`)
      return outcomeOfWatching(world.as(role), field, asking)
    })

    expect(found).toEqual([])
  })
})

/** What a subscription begins with. Everybody signed in sees what is in `team`, so a list is read up to that. */
async function outcomeOfWatching(client: ApiClient, field: string, { args, among }: Asking): Promise<string> {
  const text = operationFor('subscription', field, args)
  const messages = client.watch<Record<string, { id?: string }>, object>(text, args)
  const { Run, Deployment, openAlert } = world.things('team')
  const lastOfAll = [Run, Deployment, openAlert]
  try {
    for await (const message of messages) {
      const id = message[field]?.id
      if (among === undefined || id === among) return 'ok'
      if (id !== undefined && lastOfAll.includes(id)) return 'absent'
    }
    return 'absent'
  } catch (error) {
    const said = error instanceof Error ? error.message : JSON.stringify(error)
    const code = /"code":\s*"(\w+)"/.exec(said)?.[1]
    const reason = /"reason":\s*"(\w+)"/.exec(said)?.[1]
    return outcomeOfCode(code ?? said, reason)
  } finally {
    await messages.return?.()
  }
}
