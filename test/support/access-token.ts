import { LoginDocument } from '../../src/generated/operations.ts'
import { PASSWORD } from './app.ts'
import { createClient } from './client.ts'

/** Who signs in. */
export interface Credentials {
  username: string
  password: string
}

/** Signs in to a test's server, as its administrator unless given, for clients that take nothing but a token. */
export async function accessTokenOf(
  url: string,
  { username, password }: Credentials = { username: 'admin', password: PASSWORD },
): Promise<string> {
  const input = { username, password }
  const { login } = await createClient(url).send(LoginDocument, { input })
  if (login.__typename !== 'Session') throw new Error(`Cannot sign in: ${login.message}`)
  return login.accessToken
}
