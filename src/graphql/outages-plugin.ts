import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core'
import type { GraphQLFieldResolver } from 'graphql'
import { asExpected } from '../outage.ts'

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      outages: OutagesPlugin<Types>
    }
  }
}

/**
 * A full disk can make any mutation fail, anywhere in it. This gives every mutation the error for it that its
 * union has, without any service having to think of it. Must stand after the plugin for errors.
 */
class OutagesPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolve: GraphQLFieldResolver<unknown, Types['Context'], object>,
    { kind }: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (kind !== 'Mutation') return resolve
    return async (...args) => {
      try {
        return await resolve(...args)
      } catch (error) {
        throw asExpected(error)
      }
    }
  }
}

SchemaBuilder.registerPlugin('outages', OutagesPlugin)
