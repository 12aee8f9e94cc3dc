import {
  type GraphQLField,
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  isUnionType,
} from 'graphql'
import { toSchema } from '../../src/graphql/index.ts'
import type { Answer, ApiClient } from '../support/client.ts'
import type { Outcome } from './table.ts'

/** The schema that is walked. */
export const schema = toSchema()

type Kind = 'query' | 'mutation' | 'subscription'

/** An operation with one root field, which is given these arguments and no others. */
export function operationFor(kind: Kind, field: string, args: object, selection?: string): string {
  const root = {
    query: schema.getQueryType(),
    mutation: schema.getMutationType(),
    subscription: schema.getSubscriptionType(),
  }
  const definition = root[kind]?.getFields()[field]
  if (!definition) throw new Error(`There is no ${kind} ${field}`)
  const given = definition.args.filter(({ name }) => Object.hasOwn(args, name))
  const declared = given.map(({ name, type }) => `$${name}: ${type}`).join(', ')
  const passed = given.map(({ name }) => `${name}: $${name}`).join(', ')
  return `${kind}${declared && `(${declared})`} { ${field}${passed && `(${passed})`} ${selection ?? selectionOf(definition)} }`
}

/** As much of a field as tells whether it is there. */
export function selectionOf(field: GraphQLField<unknown, unknown>): string {
  const type = getNamedType(field.type)
  if (!isCompositeType(type)) return ''
  if (isUnionType(type)) {
    const isNode = type
      .getTypes()
      .some((member) => member.getInterfaces().some(({ name }) => name === 'Node'))
    return `{ __typename ${isNode ? '... on Node { id }' : ''} ... on Error { code message } }`
  }
  const id = hasId(type.name.replace(/Connection$/, '')) ? 'id' : ''
  if (!type.name.endsWith('Connection')) return `{ __typename ${id} }`
  return `{ totalCount edges { node { __typename ${id} } } }`
}

function hasId(name: string): boolean {
  const type = schema.getType(name)
  return (isObjectType(type) || isInterfaceType(type)) && Object.hasOwn(type.getFields(), 'id')
}

/** Performs a mutation that must succeed, for what a test needs. @returns the id of what it gave, if that has one */
export async function ask(client: ApiClient, field: string, input: object): Promise<string> {
  const data = await client.send<Record<string, { id?: string; code?: string }>, object>(
    operationFor('mutation', field, { input }),
    { input },
  )
  const made = data[field]
  if (!made || made.code) throw new Error(`${field} ${JSON.stringify(input)}: ${JSON.stringify(made)}`)
  return made.id ?? ''
}

/** What an answer comes to: an outcome, or, in words that no table has, what else went wrong. */
export function outcomeOf(answer: Answer<unknown>, value: unknown): string {
  const [error] = answer.errors ?? []
  if (error) return outcomeOfCode(error.extensions?.code, error.extensions?.reason)
  return outcomeOfValue(value)
}

/** What an error with this code comes to. */
export function outcomeOfCode(code: unknown, reason: unknown): string {
  if (reason === 'PASSWORD_CHANGE_REQUIRED') return 'expired'
  const outcomes: Record<string, Outcome> = { UNAUTHENTICATED: 'login', FORBIDDEN: 'no', NOT_FOUND: 'absent' }
  return outcomes[String(code)] ?? `error ${code}`
}

function outcomeOfValue(value: unknown): string {
  if (value === null || value === undefined) return 'absent'
  if (Array.isArray(value)) return value.some((item) => outcomeOfValue(item) === 'ok') ? 'ok' : 'absent'
  if (typeof value !== 'object') return 'ok'
  if ('edges' in value) return outcomeOfValue(value.edges)
  if (Object.keys(value).length === 0) return 'absent'
  if ('code' in value) return value.code === 'NOT_FOUND' ? 'absent' : `error ${value.code}`
  return 'ok'
}
