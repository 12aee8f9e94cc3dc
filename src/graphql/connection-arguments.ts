import { parsePrismaCursor } from '@pothos/plugin-prisma'
import {
  type ExecutionArgs,
  type FieldNode,
  GraphQLError,
  type GraphQLField,
  getArgumentValues,
  getNamedType,
  getOperationAST,
  getVariableValues,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql'
import { ValidationError } from '../errors.ts'
import { ID_PREFIX, kindOfId } from '../ids.ts'

/** The most items on one page. */
export const MAX_PAGE_SIZE = 100

/**
 * What is wrong with the page sizes and cursors that an operation gives to lists, as errors that clients
 * may see. Looked at before anything is executed, because Pothos loads a nested list together with what it
 * is in: there a bad cursor would be a defect, or give an empty page.
 */
export function findBadConnectionArguments(args: ExecutionArgs): GraphQLError[] {
  const { schema, document, operationName, variableValues } = args
  const operation = getOperationAST(document, operationName)
  if (!operation) return [] // the execution says why
  let variables: Record<string, unknown> | undefined
  const problems: GraphQLError[] = []
  const typeInfo = new TypeInfo(schema)
  visit(
    document,
    visitWithTypeInfo(typeInfo, {
      OperationDefinition: (other) => (other === operation ? undefined : false),
      Field(node) {
        const field = typeInfo.getFieldDef()
        if (!field?.args.some((argument) => argument.name === 'first')) return
        // Only now: a report of 10,000 points has no lists, and takes milliseconds to coerce.
        variables ??= getVariableValues(
          schema,
          operation.variableDefinitions ?? [],
          variableValues ?? {},
        ).coerced
        const problem = variables && findProblem(field, node, variables)
        if (problem) problems.push(problem)
      },
    }),
  )
  return problems
}

function findProblem(
  field: GraphQLField<unknown, unknown>,
  node: FieldNode,
  variables: Record<string, unknown>,
): GraphQLError | null {
  const noun = getNamedType(field.type).name.replace(/Connection$/, '')
  try {
    const values = getArgumentValues(field, node, variables)
    for (const name of ['first', 'last']) checkPageSize(name, values[name])
    for (const name of ['after', 'before']) checkCursor(name, values[name], noun)
    return null
  } catch (error) {
    if (!(error instanceof ValidationError)) return null // a missing variable, say: the execution says it
    return new GraphQLError(error.message, { nodes: node, originalError: error })
  }
}

function checkPageSize(name: string, size: unknown) {
  if (typeof size === 'number' && (size < 1 || size > MAX_PAGE_SIZE)) {
    throw ValidationError.at(name, `Must be from 1 to ${MAX_PAGE_SIZE}.`)
  }
}

/** The cursors of lists are ids of what is in them. Logs have cursors of their own, which they check themselves. */
function checkCursor(name: string, cursor: unknown, noun: string) {
  if (typeof cursor !== 'string' || !Object.hasOwn(ID_PREFIX, noun)) return
  if (kindOfId(idIn(cursor)) !== noun) throw ValidationError.at(name, 'This is not a cursor of this list.')
}

function idIn(cursor: string): string {
  try {
    return String(parsePrismaCursor(cursor))
  } catch {
    return ''
  }
}
