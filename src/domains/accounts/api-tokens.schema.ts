import { builder } from '../../graphql/builder.ts'
import { principalOf } from '../../graphql/context.ts'
import { resultUnion } from '../../graphql/errors.ts'
import { scopesOf, secretOf } from './api-tokens.ts'
import { ScopeEnum } from './enums.schema.ts'
import { UserType } from './users.schema.ts'

const ApiTokenType = builder.prismaNode('ApiToken', {
  description: 'A long-lived token for scripts and agents. It stands for the person who made it.',
  id: { field: 'id', description: 'Names the token without giving it away.' },
  fields: (t) => ({
    name: t.exposeString('name', { description: 'What it is for.' }),
    token: t.string({
      nullable: true,
      description:
        'The secret, only on what createApiToken gives: a hash of it is all that is kept. Send it as a bearer token.',
      resolve: secretOf,
    }),
    scopes: t.field({
      type: [ScopeEnum],
      description: 'What it may be used for.',
      resolve: scopesOf,
    }),
    createdAt: t.expose('createdAt', { type: 'DateTime', description: 'When it was made.' }),
    expiresAt: t.expose('expiresAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it stops to work; null for never.',
    }),
    lastUsedAt: t.expose('lastUsedAt', {
      type: 'DateTime',
      nullable: true,
      description: 'When it was last used, to the minute; null for never.',
    }),
  }),
})

const ApiTokenConnection = builder.connectionObject(
  { type: ApiTokenType, name: 'ApiTokenConnection', description: 'A page of API tokens.' },
  { name: 'ApiTokenEdge', description: 'An API token on a page.' },
)

builder.prismaObjectField(UserType, 'apiTokens', (t) =>
  t.prismaConnection(
    {
      type: ApiTokenType,
      cursor: 'id',
      description:
        'The API tokens that the person made, the latest first, without their secrets. Private: empty for others.',
      totalCount: (user, _args, { services, principal }) => services.apiTokens.count(principal, user.id),
      resolve: (query, user, _args, { services, principal }) =>
        services.apiTokens.list(principal, user.id, query),
    },
    ApiTokenConnection,
  ),
)

const CreateApiTokenInput = builder.inputType('CreateApiTokenInput', {
  description: 'The token to make.',
  fields: (t) => ({
    name: t.string({ required: true, description: 'What it is for, e.g. "nightly evaluation".' }),
    scopes: t.field({ type: [ScopeEnum], description: 'What it may be used for; RUN unless given.' }),
    expiresAt: t.field({ type: 'DateTime', description: 'When it is to stop working; never unless given.' }),
  }),
})

const RevokeApiTokenInput = builder.inputType('RevokeApiTokenInput', {
  description: 'The token to end.',
  fields: (t) => ({ tokenId: t.id({ required: true, description: 'Its id.' }) }),
})

builder.mutationFields((t) => ({
  createApiToken: t.prismaField({
    type: ApiTokenType,
    description: 'Makes a long-lived token for your scripts. Takes a sign-in.',
    errors: resultUnion('CreateApiTokenResult', 'The token with its secret, or why there is none.'),
    args: { input: t.arg({ type: CreateApiTokenInput, required: true, description: 'The token to make.' }) },
    resolve: (_query, _root, { input }, context) =>
      context.services.apiTokens.create(principalOf(context), input),
  }),
  revokeApiToken: t.prismaField({
    type: ApiTokenType,
    description:
      'Ends an API token of yours, or as an administrator anybody’s, at once; its subscriptions end too.',
    errors: resultUnion('RevokeApiTokenResult', 'The token as it was, or why it goes on.'),
    args: { input: t.arg({ type: RevokeApiTokenInput, required: true, description: 'The token to end.' }) },
    resolve: (_query, _root, { input }, context) =>
      context.services.apiTokens.revoke(principalOf(context), input),
  }),
}))
