import {
  type GraphQLField,
  type GraphQLInputType,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isListType,
  isNonNullType,
  isScalarType,
} from 'graphql'

/** An operation that asks for one root field with as little as it takes. */
export interface MinimalOperation {
  field: string
  kind: 'query' | 'mutation' | 'subscription'
  text: string
  variables: Record<string, unknown>
  /** Where files go, e.g. variables.input.file. */
  files: string[]
}

/** One operation for each root field of a schema, with something of the right type for whatever is required. */
export function operationsFor(schema: GraphQLSchema): MinimalOperation[] {
  const kinds = [
    ['query', schema.getQueryType()],
    ['mutation', schema.getMutationType()],
    ['subscription', schema.getSubscriptionType()],
  ] as const
  return kinds.flatMap(([kind, type]) =>
    Object.values(type?.getFields() ?? {}).map((field) => operationFor(kind, field)),
  )
}

function operationFor(
  kind: MinimalOperation['kind'],
  field: GraphQLField<unknown, unknown>,
): MinimalOperation {
  const required = field.args.filter((argument) => isNonNullType(argument.type))
  const files: string[] = []
  const variables = Object.fromEntries(
    required.map(({ name, type }) => [name, sampleOf(type, `variables.${name}`, files)]),
  )
  const declared = required.map(({ name, type }) => `$${name}: ${type}`).join(', ')
  const given = required.map(({ name }) => `${name}: $${name}`).join(', ')
  const selection = isLeafType(getNamedType(field.type)) ? '' : ' { __typename }'
  const text = `${kind}${declared && `(${declared})`} { ${field.name}${given && `(${given})`}${selection} }`
  return { field: field.name, kind, text, variables, files }
}

/** What scalars take that do not take any text. */
const SAMPLES: Record<string, unknown> = {
  Int: 1,
  Float: 1,
  BigInt: 1,
  Boolean: true,
  DateTime: '2026-01-01T00:00:00Z',
}

function sampleOf(type: GraphQLInputType, path: string, files: string[]): unknown {
  const nullable = getNullableType(type)
  if (isListType(nullable)) return [sampleOf(nullable.ofType, `${path}.0`, files)]
  if (isEnumType(nullable)) return nullable.getValues()[0]?.name
  if (isInputObjectType(nullable)) {
    const fields = Object.values(nullable.getFields()).filter((field) => isNonNullType(field.type))
    return Object.fromEntries(
      fields.map((field) => [field.name, sampleOf(field.type, `${path}.${field.name}`, files)]),
    )
  }
  if (!isScalarType(nullable)) throw new Error(`No value for ${path}`)
  if (nullable.name === 'Upload') {
    files.push(path)
    return null
  }
  return SAMPLES[nullable.name] ?? 'x'
}
