import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core'
import type { GraphQLFieldResolver } from 'graphql'
import { ValidationError } from '../errors.ts'

/** The most items on one page. */
export const MAX_PAGE_SIZE = 100

/** The name under which a builder lists the plugin. */
export const PAGE_SIZE_PLUGIN = 'pageSize' as const

declare global {
  export namespace PothosSchemaTypes {
    export interface Plugins<Types extends SchemaTypes> {
      pageSize: PageSizePlugin<Types>
    }
  }
}

/** Refuses a `first` or `last` out of range on every connection, instead of silently giving another page. */
class PageSizePlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override wrapResolve(
    resolver: GraphQLFieldResolver<unknown, Types['Context'], object>,
    field: PothosOutputFieldConfig<Types>,
  ): GraphQLFieldResolver<unknown, Types['Context'], object> {
    if (!('first' in field.args)) return resolver
    return (parent, args, context, info) => {
      checkPageSize(args, 'first')
      checkPageSize(args, 'last')
      return resolver(parent, args, context, info)
    }
  }
}

function checkPageSize(args: object, name: 'first' | 'last') {
  const size: unknown = Reflect.get(args, name)
  if (typeof size === 'number' && (size < 1 || size > MAX_PAGE_SIZE)) {
    throw ValidationError.at(name, `Must be from 1 to ${MAX_PAGE_SIZE}.`)
  }
}

SchemaBuilder.registerPlugin(PAGE_SIZE_PLUGIN, PageSizePlugin)
