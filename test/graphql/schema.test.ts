import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type InputValueDefinitionNode,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isSpecifiedScalarType,
  isUnionType,
  Kind,
  parse,
  print,
  printSchema,
} from 'graphql'
import { expect, test } from 'vitest'
import { toSchema } from '../../src/graphql/index.ts'
import { CONTRACT, INPUT_FIELDS, MADE_BY } from './contract.ts'

const schema = toSchema()
const ownTypes = Object.values(schema.getTypeMap()).filter(
  (type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type),
)

test('printing the schema twice gives the same text, which is the committed one', () => {
  const printed = `${printSchema(toSchema())}\n`

  expect(printed).toBe(`${printSchema(schema)}\n`)
  expect(printed).toBe(readFileSync(join(import.meta.dirname, '../../schema.graphql'), 'utf8'))
})

test('everything that clients rely on is there with its type', () => {
  expect(missingFrom(schema, parse(CONTRACT))).toEqual([])
})

test('the inputs have the fields that clients fill in', () => {
  const missing = Object.entries(INPUT_FIELDS).flatMap(([name, fields]) => {
    const type = schema.getType(name)
    return isInputObjectType(type) ? fields.filter((field) => !type.getFields()[field]) : [name]
  })

  expect(missing).toEqual([])
})

test('a connection has edges with node and cursor, pageInfo and totalCount', () => {
  const connections = ownTypes.filter((type) => type.name.endsWith('Connection')).filter(isObjectType)

  expect(connections.length).toBeGreaterThanOrEqual(5)
  for (const connection of connections) {
    const noun = connection.name.replace(/Connection$/, '')
    const node = noun === 'Log' ? 'LogLine' : noun
    const fields = connection.getFields()
    const edge = schema.getType(`${noun}Edge`)
    expect(String(fields.edges?.type)).toBe(`[${noun}Edge!]!`)
    expect(String(fields.pageInfo?.type)).toBe('PageInfo!')
    expect(String(fields.totalCount?.type)).toBe('Int!')
    expect(isObjectType(edge) && String(edge.getFields().node?.type)).toBe(`${node}!`)
    expect(isObjectType(edge) && String(edge.getFields().cursor?.type)).toBe('String!')
  }
})

test('each mutation takes one input and returns what it made, or errors, of which ValidationError is one', () => {
  const mutations = Object.values(schema.getMutationType()?.getFields() ?? {})

  expect(mutations.map((mutation) => mutation.name).sort()).toEqual(Object.keys(MADE_BY).sort())
  for (const mutation of mutations) {
    if (mutation.name === 'logout') continue // says no more than that it is done
    const result = schema.getType(`${upperFirst(mutation.name)}Result`)
    if (!isUnionType(result)) throw new Error(`${mutation.name} does not return a union`)
    const members = result.getTypes()
    const errors = members.filter((member) => member.name.endsWith('Error'))
    const isAboutCookie = mutation.name === 'refreshSession'
    expect(mutation.args.map(({ name, type }) => `${name}: ${type}`)).toEqual(
      isAboutCookie ? [] : [`input: ${upperFirst(mutation.name)}Input!`],
    )
    expect(String(mutation.type)).toBe(`${result.name}!`)
    expect(members.map((member) => member.name)).toContain('ValidationError')
    expect(members.filter((member) => !errors.includes(member)).map(String)).toEqual([MADE_BY[mutation.name]])
    for (const error of errors) expect(error.getInterfaces().map(String)).toContain('Error')
  }
})

test('every type whose name ends in Error implements Error', () => {
  const errors = ownTypes.filter(isObjectType).filter((type) => type.name.endsWith('Error'))

  expect(errors.length).toBe(5)
  for (const error of errors) expect(error.getInterfaces().map(String)).toContain('Error')
})

test('every type, field, argument, enum value and input field has a description', () => {
  expect(ownTypes.flatMap(undescribed)).toEqual([])
})

/** The places of a type that a user of an IDE would find without a word. */
function undescribed(type: GraphQLNamedType): string[] {
  const places = [{ place: type.name, description: type.description }]
  const add = (place: string, { description }: { description?: string | null }) =>
    places.push({ place, description })
  if (isObjectType(type) || isInterfaceType(type)) {
    for (const field of Object.values(type.getFields())) {
      add(`${type.name}.${field.name}`, field)
      for (const argument of field.args) add(`${type.name}.${field.name}(${argument.name}:)`, argument)
    }
  }
  if (isInputObjectType(type)) {
    for (const field of Object.values(type.getFields())) add(`${type.name}.${field.name}`, field)
  }
  if (isEnumType(type)) for (const value of type.getValues()) add(`${type.name}.${value.name}`, value)
  return places.filter(({ description }) => !description?.trim()).map(({ place }) => place)
}

/** What of the contract the schema lacks, or has with another type. */
function missingFrom(actual: GraphQLSchema, contract: DocumentNode): string[] {
  const printed = new Map(
    parse(printSchema(actual)).definitions.flatMap((definition) =>
      'name' in definition && definition.name ? [[definition.name.value, definition] as const] : [],
    ),
  )
  return contract.definitions.flatMap((wanted): string[] => {
    if (!('name' in wanted) || !wanted.name) return []
    const name = wanted.name.value
    const found = printed.get(name)
    if (found?.kind !== wanted.kind) return [name]
    if (wanted.kind === Kind.ENUM_TYPE_DEFINITION && found.kind === wanted.kind) {
      const values = found.values?.map((value) => value.name.value) ?? []
      return (wanted.values ?? [])
        .map((value) => value.name.value)
        .filter((value) => !values.includes(value))
        .map((value) => `${name}.${value}`)
    }
    if (wanted.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION && found.kind === wanted.kind) {
      return lacking(`${name}.`, found.fields, wanted.fields)
    }
    if (
      (wanted.kind === Kind.OBJECT_TYPE_DEFINITION && found.kind === wanted.kind) ||
      (wanted.kind === Kind.INTERFACE_TYPE_DEFINITION && found.kind === wanted.kind)
    ) {
      const interfaces = found.interfaces?.map((type) => type.name.value) ?? []
      return [
        ...(wanted.interfaces ?? [])
          .filter((type) => !interfaces.includes(type.name.value))
          .map((type) => `${name} implements ${type.name.value}`),
        ...(wanted.fields ?? []).flatMap((field) => lackingField(name, found.fields, field)),
      ]
    }
    return []
  })
}

function lackingField(
  type: string,
  fields: readonly FieldDefinitionNode[] | undefined,
  wanted: FieldDefinitionNode,
): string[] {
  const found = fields?.find((field) => field.name.value === wanted.name.value)
  const place = `${type}.${wanted.name.value}`
  if (!found) return [place]
  return [
    ...(print(found.type) === print(wanted.type) ? [] : [`${place}: ${print(wanted.type)}`]),
    ...lacking(`${place}: `, found.arguments, wanted.arguments),
    // A client that does not know an argument cannot give it.
    ...(found.arguments ?? [])
      .filter((argument) => argument.type.kind === Kind.NON_NULL_TYPE && !argument.defaultValue)
      .filter((argument) => !wanted.arguments?.some(({ name }) => name.value === argument.name.value))
      .map((argument) => `${place} without ${argument.name.value}`),
  ]
}

function lacking(
  place: string,
  values: readonly InputValueDefinitionNode[] | undefined,
  wanted: readonly InputValueDefinitionNode[] | undefined,
): string[] {
  const text = (value: InputValueDefinitionNode) => print({ ...value, description: undefined })
  const found = new Set(values?.map(text))
  return (wanted ?? [])
    .map(text)
    .filter((value) => !found.has(value))
    .map((value) => place + value)
}

function upperFirst(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}
