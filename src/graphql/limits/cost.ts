import {
  type DocumentNode,
  type FieldNode,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
  getNamedType,
  getNullableType,
  getOperationAST,
  isCompositeType,
  isListType,
  isUnionType,
  Kind,
  type NamedTypeNode,
  SchemaMetaFieldDef,
  type SelectionSetNode,
  TypeMetaFieldDef,
  type ValueNode,
} from 'graphql'
import { MAX_BATCH } from '../../domains/runs/inputs.ts'
import { MAX_BUCKETS_TOGETHER } from '../../domains/runs/metric-series.ts'
import { fragmentsOf } from './shape.ts'

/** What one operation may cost: two nested pages of 100 are possible, three are not. */
export const MAX_COST = 20_000
/** What a change costs, besides what is read of its result. */
const MUTATION_COST = 10
/** What a log with a filter costs on top: it may have to be held against every line, by the page and by the count. */
const FILTERED_LOG_COST = 100
/** How many buckets of a chart are read for 1 point, and how many are then given for another. */
const BUCKETS_PER_POINT = 20
/** How many items a list is assumed to have that does not say. */
const ASSUMED_LIST_SIZE = 10
/** How many items a page has unless the operation says. */
const DEFAULT_PAGE_SIZE = 25
/** What fields cost, besides what is selected of them, that may be large. */
const PRICES = new Map([
  ['TrainConfig.text', 200], // up to 5 MiB each
  ['TrainConfig.content', 200],
  ['LogLine.message', 1],
  ['Query.telemetry', 100], // of all nodes, up to 100,000 rows
])

/** The inputs of mutations that do something many times, with the list that says how often; as often as they may without it. */
const BATCHES = new Map([
  ['StartRunsInput', 'runs'],
  ['CancelRunsInput', 'runIds'],
])

/** An operation, as far as its cost depends on it. Variables are as they were sent. */
export interface CostedOperation {
  schema: GraphQLSchema
  document: DocumentNode
  operationName?: string | null | undefined
  variableValues?: Readonly<Record<string, unknown>> | null | undefined
}

/**
 * What an operation costs at most, in points: 1 for each object, 10 for each mutation (and each part of a batch), 0 for scalars and enums but
 * those that may be large (see PRICES), 100 for a log with a filter, 1 for every 20 buckets of a chart and again
 * wherever they are selected; the items of a connection as often as `first` or `last` says, those of other lists 10
 * times. An operation costs at least 1. Takes time in proportion to the text of the document, whatever its
 * fragments repeat.
 */
export function costOf({ schema, document, operationName, variableValues }: CostedOperation): number {
  const operation = getOperationAST(document, operationName)
  const root = operation && schema.getRootType(operation.operation)
  if (!operation || !root) return 1
  const fragments = fragmentsOf(document)
  const costOfFragments = new Map<string, number>()
  const defaults = new Map(
    operation.variableDefinitions?.map(({ variable, defaultValue }) => [variable.name.value, defaultValue]),
  )
  return Math.max(1, costOfSelection(operation.selectionSet, root, null))

  /** @param pageSize how many edges there are, in the selection of a connection, or results, in that of a batch; in a chart's, what all buckets cost */
  function costOfSelection(
    { selections }: SelectionSetNode,
    type: GraphQLCompositeType,
    pageSize: number | null,
  ): number {
    let cost = 0
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) cost += costOfField(selection, type, pageSize)
      else if (selection.kind === Kind.FRAGMENT_SPREAD) cost += costOfFragment(selection.name.value, pageSize)
      else {
        const condition = selection.typeCondition ? typeNamed(selection.typeCondition) : type
        if (condition) cost += costOfSelection(selection.selectionSet, condition, pageSize)
      }
    }
    return cost
  }

  function costOfFragment(name: string, pageSize: number | null): number {
    const key = `${name} ${pageSize}`
    const known = costOfFragments.get(key)
    if (known !== undefined) return known
    costOfFragments.set(key, 0) // should it contain itself
    const fragment = fragments.get(name)
    const type = fragment && typeNamed(fragment.typeCondition)
    const cost = fragment && type ? costOfSelection(fragment.selectionSet, type, pageSize) : 0
    costOfFragments.set(key, cost)
    return cost
  }

  function costOfField(node: FieldNode, parent: GraphQLCompositeType, pageSize: number | null): number {
    const field = fieldOf(parent, node.name.value)
    const batchSize = field ? batchSizeOf(field, node) : null
    const ownCost =
      (parent === schema.getMutationType() ? MUTATION_COST * (batchSize ?? 1) : 0) +
      (PRICES.get(`${parent.name}.${node.name.value}`) ?? 0) +
      (field && isFilteredLog(field, node) ? FILTERED_LOG_COST : 0)
    const type = field && getNamedType(field.type)
    if (!field || !node.selectionSet || !isCompositeType(type)) return ownCost
    if (isConnection(field)) {
      return ownCost + 1 + costOfSelection(node.selectionSet, type, pageSizeOf(node))
    }
    if (isChart(field)) {
      const buckets = Math.ceil(bucketsOf(field, node) / BUCKETS_PER_POINT)
      return ownCost + ASSUMED_LIST_SIZE + buckets + costOfSelection(node.selectionSet, type, buckets)
    }
    // An edge is no object of its own: it stands for its node.
    const isEdge = pageSize !== null && node.name.value === 'edges'
    const cost = (isEdge ? 0 : 1) + costOfSelection(node.selectionSet, type, batchSize)
    return ownCost + (isListType(getNullableType(field.type)) ? cost * (pageSize ?? ASSUMED_LIST_SIZE) : cost)
  }

  function fieldOf(type: GraphQLCompositeType, name: string): GraphQLField<unknown, unknown> | undefined {
    if (name === SchemaMetaFieldDef.name) return SchemaMetaFieldDef
    if (name === TypeMetaFieldDef.name) return TypeMetaFieldDef
    return isUnionType(type) ? undefined : type.getFields()[name]
  }

  function typeNamed({ name }: NamedTypeNode): GraphQLCompositeType | null {
    const type = schema.getType(name.value)
    return isCompositeType(type) ? type : null
  }

  function pageSizeOf(node: FieldNode): number {
    const sizes = node.arguments
      ?.filter(({ name }) => name.value === 'first' || name.value === 'last')
      .map(({ value }) => numberIn(value))
      .filter((size) => size !== null)
    return sizes?.length ? Math.max(...sizes) : DEFAULT_PAGE_SIZE
  }

  function isFilteredLog(field: GraphQLField<unknown, unknown>, node: FieldNode): boolean {
    const filter = field.args.find(({ type }) => getNamedType(type).name === 'LogFilter')
    const given = node.arguments?.find(({ name }) => name.value === filter?.name)?.value
    if (given?.kind !== Kind.VARIABLE) return given !== undefined && given.kind !== Kind.NULL
    const sent = variableValues?.[given.name.value]
    return sent !== null && (sent !== undefined || defaults.get(given.name.value) !== undefined)
  }

  /** How many times a mutation does what it does; null for what is no batch. */
  function batchSizeOf(field: GraphQLField<unknown, unknown>, node: FieldNode): number | null {
    const argument = field.args.find(({ type }) => BATCHES.has(getNamedType(type).name))
    const list = argument && BATCHES.get(getNamedType(argument.type).name)
    if (!argument || list === undefined) return null
    const given = node.arguments?.find(({ name }) => name.value === argument.name)?.value
    if (given?.kind === Kind.OBJECT) {
      const items = given.fields.find(({ name }) => name.value === list)?.value
      return lengthOf(items) ?? MAX_BATCH
    }
    const sent: unknown = given?.kind === Kind.VARIABLE ? variableValues?.[given.name.value] : undefined
    const items: unknown = typeof sent === 'object' && sent !== null ? Reflect.get(sent, list) : undefined
    return Array.isArray(items) ? items.length : MAX_BATCH
  }

  /** How many buckets a chart has at most; how many keys there are is unknown unless they are named. */
  function bucketsOf(field: GraphQLField<unknown, unknown>, node: FieldNode): number {
    const given = (name: string) => node.arguments?.find((argument) => argument.name.value === name)?.value
    const standard: unknown = field.args.find(({ name }) => name === 'maxPoints')?.defaultValue
    const maxPoints = numberIn(given('maxPoints')) ?? standard
    // Of which keys there are, nothing is known here: most runs have a few, and more are bounded where they are read.
    const hasKeys = field.args.some(({ name }) => name === 'keys')
    const keys = hasKeys ? (lengthOf(given('keys')) ?? ASSUMED_LIST_SIZE) : 1
    if (typeof maxPoints !== 'number') return MAX_BUCKETS_TOGETHER
    return Math.min(keys * maxPoints, MAX_BUCKETS_TOGETHER)
  }

  /** How many items a list has; null for what is none. */
  function lengthOf(list: ValueNode | undefined): number | null {
    if (list?.kind === Kind.LIST) return list.values.length
    if (list?.kind === Kind.STRING) return 1
    if (list?.kind !== Kind.VARIABLE) return null
    const sent = variableValues?.[list.name.value]
    if (sent === undefined) return lengthOf(defaults.get(list.name.value))
    return Array.isArray(sent) ? sent.length : typeof sent === 'string' ? 1 : null
  }

  /** The number that a value stands for; one that is not acceptable is refused elsewhere. */
  function numberIn(value: ValueNode | undefined): number | null {
    if (value?.kind === Kind.INT) return Math.max(0, Number(value.value))
    if (value?.kind !== Kind.VARIABLE) return null
    const sent = variableValues?.[value.name.value]
    if (sent === undefined) return numberIn(defaults.get(value.name.value))
    return typeof sent === 'number' && sent >= 0 ? sent : null
  }
}

function isChart(field: GraphQLField<unknown, unknown>): boolean {
  return field.args.some(({ name }) => name === 'maxPoints')
}

function isConnection(field: GraphQLField<unknown, unknown>): boolean {
  return field.args.some(({ name }) => name === 'first')
}
