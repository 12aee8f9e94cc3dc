import { type DocumentNode, GraphQLError, Kind, visit } from 'graphql'
import type { Principal } from '../domains/accounts/principal.ts'

/** For whom something is there: everybody, those who are signed in, or nobody. */
export type Audience = 'everyone' | 'signed-in' | 'off'

const introspecting = new WeakMap<DocumentNode, boolean>()

/** Why somebody may not read the schema with this document; null when they may, or it does not. */
export function refuseIntrospection(
  document: DocumentNode,
  principal: Principal | null,
  audience: Audience,
): GraphQLError | null {
  if (audience === 'everyone' || !introspects(document)) return null
  if (audience === 'signed-in' && principal?.kind === 'user') return null
  const why = audience === 'off' ? 'This server does not show' : 'Sign in to see'
  return new GraphQLError(`${why} its schema.`, {
    extensions: { code: 'INTROSPECTION_DISABLED', http: { status: 403 } },
  })
}

function introspects(document: DocumentNode): boolean {
  const known = introspecting.get(document)
  if (known !== undefined) return known
  let found = false
  visit(document, {
    Field({ name }) {
      found ||= name.value === '__schema' || name.value === '__type'
    },
    VariableDefinition: () => false,
    Argument: () => false,
    [Kind.DIRECTIVE]: () => false,
  })
  introspecting.set(document, found)
  return found
}
