import type { ServerResponse } from 'node:http'
import { type ExecutionArgs, GraphQLError, getOperationAST, validate } from 'graphql'
import { isAsyncIterable, type Plugin } from 'graphql-yoga'
import type { Principal } from '../domains/accounts/principal.ts'
import { findBadConnectionArguments } from '../graphql/connection-arguments.ts'
import { toClientError } from '../graphql/errors.ts'
import { costOf, MAX_COST } from '../graphql/limits/cost.ts'
import { parseWithinLimits } from '../graphql/limits/parse.ts'
import { tooComplex } from '../graphql/limits/too-complex.ts'
import { findExcessiveVariables } from '../graphql/limits/variables.ts'
import { answerTooLarge, MAX_ANSWER_BYTES, sizeOf } from './answer-limits.ts'
import { type Audience, refuseIntrospection } from './introspection.ts'
import {
  type Allowance,
  type RateLimits,
  rateLimited,
  setRateLimitHeaders,
  throttleStatus,
} from './rate-limits.ts'

/** What operations are held against. */
export interface OperationCheckSettings {
  introspection: Audience
  rateLimits: RateLimits
}

/** What became of the checks of an operation. */
export interface Verdict {
  /** Why it is not performed; empty when it is. */
  errors: GraphQLError[]
  /** What it costs in points; null where it did not come to that. */
  cost: number | null
  /** What is left to whoever asks; null where nothing is counted. */
  allowance: Allowance | null
}

/** How many mistakes of a document are told: a person reads no more, and a probe shall not learn more. */
const MAX_VALIDATION_ERRORS = 20

/** Says whether somebody may have an operation performed, whatever it came on. */
export type OperationChecks = (args: ExecutionArgs, principal: Principal | null) => Promise<Verdict>

/** Checks an operation that is valid, before it is performed: cheap checks first. */
export function createOperationChecks(settings: OperationCheckSettings): OperationChecks {
  const { introspection, rateLimits } = settings
  return async (args, principal) => {
    const refused = (errors: GraphQLError[], cost: number | null = null): Verdict => ({
      errors,
      cost,
      allowance: null,
    })
    const notShown = refuseIntrospection(args.document, principal, introspection)
    if (notShown) return refused([notShown])
    const excessive = findExcessiveVariables(args.variableValues)
    if (excessive) return refused([excessive])
    const bad = findBadConnectionArguments(args)
    if (bad.length > 0) return refused(bad.map((error) => toClientError(error) ?? error))
    const cost = costOf(args)
    if (cost > MAX_COST) return refused([tooComplex('cost', MAX_COST, cost)], cost)
    const allowance = await rateLimits.spend(principal, cost)
    return { errors: allowance?.isExceeded ? [rateLimited(allowance)] : [], cost, allowance }
  }
}

const ON_SOCKETS_ONLY = new GraphQLError('Subscriptions are served on WebSockets only.', {
  extensions: { code: 'BAD_REQUEST', http: { status: 400 } },
})

/** What an operation is performed with, as far as the checks look at it. */
interface CheckedContext {
  principal: Principal | null
  /** The answer, on HTTP. */
  res?: ServerResponse | undefined
}

/**
 * Refuses documents that are too complex before they are validated and operations before they are performed,
 * suggests nothing to those who guess names, and tells of each query and mutation what it cost. Works on HTTP
 * and on sockets, which parse, validate and execute through the same envelope.
 */
export function useOperationChecks<Context extends CheckedContext>(
  check: OperationChecks,
  rateLimits: RateLimits,
): Plugin<Context> {
  /** Why an answer is not given: it is too large, or more than whoever asks may have now. */
  async function refuseAnswer(
    { document, operationName, contextValue }: ExecutionArgs & { contextValue: CheckedContext },
    data: unknown,
  ): Promise<GraphQLError | null> {
    const bytes = sizeOf(data)
    if (bytes > MAX_ANSWER_BYTES) return answerTooLarge()
    const allowance = await rateLimits.chargeBytes(contextValue.principal, 0, bytes)
    // What was changed must be told.
    const isMutation = getOperationAST(document, operationName)?.operation === 'mutation'
    return allowance?.isExceeded && !isMutation ? rateLimited(allowance) : null
  }

  return {
    onParse({ setParseFn }) {
      setParseFn((source) => parseWithinLimits(typeof source === 'string' ? source : source.body))
    },
    onValidate({ setValidationFn }) {
      setValidationFn((schema, document, rules) =>
        validate(schema, document, rules, { maxErrors: MAX_VALIDATION_ERRORS, hideSuggestions: true }),
      )
    },
    async onExecute({ args, setResultAndStopExecution }) {
      const { principal, res } = args.contextValue
      const { errors, cost, allowance } = await check(args, principal)
      if (res && allowance) setRateLimitHeaders(res, allowance)
      const extensions = cost === null ? {} : { cost: costExtension(cost, allowance) }
      if (errors.length > 0) return setResultAndStopExecution({ errors, extensions })
      return {
        async onExecuteDone({ result, setResult }) {
          if (isAsyncIterable(result)) return
          const refusal = await refuseAnswer(args, result.data)
          const answer = refusal ? { data: null, errors: [refusal] } : result
          setResult({ ...answer, extensions: { ...result.extensions, ...extensions } })
        },
      }
    },
    // Only HTTP comes here. Sockets are looked after while they are open: a session that ends, ends its streams.
    onSubscribe({ setResultAndStopExecution }) {
      setResultAndStopExecution({ errors: [ON_SOCKETS_ONLY] })
    },
  }
}

function costExtension(cost: number, allowance: Allowance | null) {
  return {
    requestedQueryCost: cost,
    maximumQueryCost: MAX_COST,
    throttleStatus: throttleStatus(allowance),
  }
}
