import SchemaBuilder from '@pothos/core'
import ErrorsPlugin from '@pothos/plugin-errors'
import PrismaPlugin from '@pothos/plugin-prisma'
import RelayPlugin from '@pothos/plugin-relay'
import ScopeAuthPlugin from '@pothos/plugin-scope-auth'
import { GraphQLBigInt, GraphQLDateTime, GraphQLJSON } from 'graphql-scalars'
import { GraphQLUpload } from 'graphql-upload-minimal'
import { nullIfMissing } from '../db/database.ts'
import { requireUser } from '../domains/accounts/principal.ts'
import type { IncomingFile } from '../domains/datasets/incoming-file.ts'
import type { JsonValue } from '../domains/input.ts'
import { ForbiddenError } from '../errors.ts'
import type PrismaTypes from '../generated/pothos.ts'
import { getDatamodel } from '../generated/pothos.ts'
import { kindOfId } from '../ids.ts'
import { MAX_PAGE_SIZE } from './connection-arguments.ts'
import { type Context, principalOf, RELATIONS } from './context.ts'
import { NODE_FINDERS } from './nodes.ts'
import './outages-plugin.ts'

/** What is counted only when it is asked for. */
type Count = number | (() => number | Promise<number>)

/** Every type, field and resolver of the API is added to this; it has none itself. */
export const builder = new SchemaBuilder<{
  Context: Context
  PrismaTypes: PrismaTypes
  DefaultFieldNullability: false
  DefaultEdgesNullability: { list: false; items: false }
  DefaultNodeNullability: false
  Scalars: {
    BigInt: { Input: bigint | number; Output: bigint | number }
    DateTime: { Input: Date; Output: Date }
    JSON: { Input: JsonValue; Output: unknown }
    Upload: { Input: Promise<IncomingFile>; Output: never }
    ID: { Input: string; Output: string }
  }
  Connection: { totalCount?: Count }
  /** `person`: somebody signed in. `reporter`: a person, or the process of a run. */
  AuthScopes: { person: boolean; reporter: boolean }
}>({
  plugins: [ScopeAuthPlugin, ErrorsPlugin, RelayPlugin, PrismaPlugin, 'outages'],
  defaultFieldNullability: false,
  scopeAuth: {
    authScopes: ({ principal }) => ({ person: principal?.kind === 'user', reporter: principal !== null }),
    unauthorizedError: (_parent, context) => {
      principalOf(context)
      return new ForbiddenError('The token of a run may only report to its own run.')
    },
  },
  errors: { directResult: true },
  relay: {
    cursorType: 'String',
    encodeGlobalID: (_typename, id) => String(id),
    decodeGlobalID: (id) => ({ typename: kindOfId(id) ?? 'Unknown', id }),
    idFieldOptions: {
      description: 'Opaque, and readable: a prefix for the kind, and a part that sorts by time.',
    },
    nodeTypeOptions: { description: 'Anything that has an id of its own.' },
    nodeQueryOptions: {
      description: 'Anything by its id; null when there is nothing of that id, or not for you.',
      nullable: true,
      args: { id: { description: 'Any id that this API gave.' } },
      resolve: async (_root, { id }, context, _info, load) => {
        // Whoever may read nothing is told so, whatever the id is of.
        const principal = requireUser(principalOf(context), 'READ')
        const kind = kindOfId(id.id)
        const find = kind && NODE_FINDERS[kind]
        // What is loaded then is loaded whoever asks.
        const isThere = find ? await find(context.services, principal, id.id) : null
        return isThere ? await nullIfMissing(load(id)) : null
      },
    },
    nodesQueryOptions: false,
    pageInfoTypeOptions: { description: 'Where a page stands in its list.' },
    pageInfoFieldOptions: { description: 'Where the page stands in the list.' },
    hasNextPageFieldOptions: { description: 'Whether more follows; reliable when paging with first.' },
    hasPreviousPageFieldOptions: {
      description: 'Whether something precedes; reliable when paging with last.',
    },
    startCursorFieldOptions: { description: 'The cursor of the first item of the page.' },
    endCursorFieldOptions: {
      description: 'The cursor of the last item of the page: give it as after for the next page.',
    },
    cursorFieldOptions: { description: 'Marks the place of the item in its list.' },
    nodeFieldOptions: { description: 'The item.', nullable: false },
    edgesFieldOptions: {
      description: 'The items of the page, each with its cursor.',
      nullable: { list: false, items: false },
    },
    firstArgOptions: { description: 'How many from the start of the list: 1 to 100, 25 unless given.' },
    lastArgOptions: { description: 'How many from the end of the list: 1 to 100.' },
    afterArgOptions: { description: 'Only what comes after this cursor.' },
    beforeArgOptions: { description: 'Only what comes before this cursor.' },
  },
  prisma: {
    client: (context) => context[RELATIONS],
    dmmf: getDatamodel(),
    defaultConnectionSize: 25,
    maxConnectionSize: MAX_PAGE_SIZE,
    onUnusedQuery: null,
  },
})

builder.queryType({
  description: 'Everything that can be read. Asks for a bearer token, except for serverInfo.',
  authScopes: { person: true },
})
builder.mutationType({
  description:
    'Everything that can be changed. Each takes one input and returns a union: what it made or changed, or an error.',
  authScopes: { person: true },
})
builder.subscriptionType({
  description:
    'Everything that can be watched, over graphql-transport-ws. What replays takes a cursor, delivers what is stored after it, then goes live, with no gap and no repeat.',
  authScopes: { person: true },
})

builder.addScalarType('BigInt', GraphQLBigInt, {
  description: 'A whole number of any size, such as a number of bytes.',
})
builder.addScalarType('DateTime', GraphQLDateTime, {
  description: 'A time as RFC 3339 has it, in UTC with milliseconds: 2026-01-31T12:00:00.000Z.',
})
builder.addScalarType('JSON', GraphQLJSON, { description: 'Any JSON value.' })
builder.addScalarType('Upload', GraphQLUpload, {
  description: 'A file, sent as the GraphQL multipart request specification has it.',
})

builder.globalConnectionField('totalCount', (t) =>
  t.int({
    description: 'How many items the whole list has, whatever the page.',
    extensions: { pothosPrismaTotalCount: true },
    resolve: ({ totalCount }) => (typeof totalCount === 'function' ? totalCount() : (totalCount ?? 0)),
  }),
)
