/** What this domain adds to the API. */
import './users.schema.ts'
import './user-administration.schema.ts'
import './own-account.schema.ts'
import './sign-in.schema.ts'
import './sessions.schema.ts'
import './passwords.schema.ts'
import './api-tokens.schema.ts'
import './invitations.schema.ts'

export { LocaleEnum } from './enums.schema.ts'
