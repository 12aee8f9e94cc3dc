import { builder } from '../../graphql/builder.ts'
import type { Theme } from './own-account.ts'
import type { LOCALES, Role, Scope } from './principal.ts'

/** The argument of every label field. */
export const LocaleEnum = builder.enumType('Locale', {
  description: 'A language that labels exist in.',
  values: {
    EN: { description: 'English.' },
    ZH_CN: { description: 'Simplified Chinese.' },
  } satisfies Record<(typeof LOCALES)[number], object>,
})

/** What an account may do on this server. */
export const RoleEnum = builder.enumType('Role', {
  description: 'What an account may do on this server.',
  values: {
    ADMIN: { description: 'Everything.' },
    MEMBER: { description: 'Work with projects, but not administer the server.' },
  } satisfies Record<Role, object>,
})

/** What an API token may be used for. */
export const ScopeEnum = builder.enumType('ApiTokenScope', {
  description: 'What an API token may be used for; never for more than its person may do.',
  values: {
    READ: { description: 'Reading and watching.' },
    RUN: { description: 'READ, and all work with projects, datasets and runs.' },
    ADMIN: {
      description: 'RUN, and the account and the powers of an administrator, where the person is one.',
    },
    AGENT: {
      description:
        'What the agent on a compute node needs, and nothing else: it stands alone. Only administrators make such tokens; each is bound to the node that uses it first.',
    },
  } satisfies Record<Scope, object>,
})

/** How the user interface looks. */
export const ThemeEnum = builder.enumType('Theme', {
  description: 'How the user interface looks.',
  values: {
    SYSTEM: { description: 'As the system of the person does.' },
    LIGHT: { description: 'Dark on light.' },
    DARK: { description: 'Light on dark.' },
  } satisfies Record<Theme, object>,
})
