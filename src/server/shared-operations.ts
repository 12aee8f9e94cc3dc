import { type DocumentNode, type ExecutionArgs, execute, type GraphQLError, Kind, visit } from 'graphql'
import { identityOf, type Principal } from '../domains/accounts/principal.ts'
import { NotFoundError } from '../errors.ts'

/** A subscription that somebody asked for. */
export interface SubscribedOperation {
  /** The text of the document. */
  query: string
  args: ExecutionArgs
  /** In whose name. */
  principal: Principal | null
}

/** Somebody's part in a subscription that others may run too. */
export interface SharedOperation {
  /** The part of a message that everybody gets, from `"payload":` to its end; null when what it was about is gone. */
  sharedPartOf(event: unknown): Promise<Buffer | null>
  /** This one is over. */
  leave(): void
}

/** The subscriptions that run now. */
export interface SharedOperations {
  join(operation: SubscribedOperation): SharedOperation
}

/**
 * Executes and serialises each event once for everybody who runs the same operation: the same document with
 * the same variables, for the same user. An event is the same when it is the same object, so whoever
 * stands elsewhere in a stream, or follows another one, never gets it.
 *
 * @param maskError what clients may see of an error
 */
export function createSharedOperations(maskError: (error: unknown) => GraphQLError): SharedOperations {
  const running = new Map<string, { users: number; results: WeakMap<object, Promise<Buffer | null>> }>()

  async function perform(args: ExecutionArgs, event: unknown): Promise<Buffer | null> {
    // A context of its own for each event, because permissions and loaded rows are remembered by context.
    const contextValue = { ...Object(args.contextValue) }
    const { data, errors, extensions } = await execute({ ...args, contextValue, rootValue: event })
    // It was deleted after the event was read; the stream ends by itself.
    if (!data && errors?.every((error) => error.originalError instanceof NotFoundError)) return null
    return Buffer.from(`"payload":${JSON.stringify({ data, errors: errors?.map(maskError), extensions })}}`)
  }

  return {
    join(operation) {
      const key = keyOf(operation)
      const shared = running.get(key) ?? { users: 0, results: new WeakMap() }
      running.set(key, shared)
      shared.users++
      return {
        sharedPartOf(event) {
          if (typeof event !== 'object' || event === null) return perform(operation.args, event)
          const result = shared.results.get(event) ?? perform(operation.args, event)
          shared.results.set(event, result)
          return result
        },
        leave() {
          if (--shared.users === 0) running.delete(key)
        },
      }
    },
  }
}

/** Tells operations apart that could answer differently to the same event. */
function keyOf({ query, args, principal }: SubscribedOperation): string {
  const places = variablesOfPlace(args.document)
  const variables = Object.entries(args.variableValues ?? {}).filter(([name]) => !places.has(name))
  return JSON.stringify([principal && identityOf(principal), args.operationName, variables, query])
}

/**
 * The variables that say nothing but where in a stream to begin: used once, as the `after` of a root field.
 * Those who come back with different cursors run the same operation.
 */
function variablesOfPlace(document: DocumentNode): Set<string> {
  const uses = new Map<string, number>()
  visit(document, {
    VariableDefinition: () => false,
    Variable: ({ name }) => void uses.set(name.value, (uses.get(name.value) ?? 0) + 1),
  })
  const places = document.definitions
    .filter((definition) => definition.kind === Kind.OPERATION_DEFINITION)
    .flatMap((operation) => operation.selectionSet.selections)
    .flatMap((field) => (field.kind === Kind.FIELD ? (field.arguments ?? []) : []))
    .flatMap(({ name, value }) =>
      name.value === 'after' && value.kind === Kind.VARIABLE ? value.name.value : [],
    )
  return new Set(places.filter((name) => uses.get(name) === 1))
}
