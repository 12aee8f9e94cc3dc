import { LoginDocument } from '../../src/generated/operations.ts'
import { PASSWORD } from './app.ts'
import { createClient } from './client.ts'

/** Signs in to a test's server as its administrator, for clients that take nothing but a token. */
export async function accessTokenOf(url: string): Promise<string> {
  const input = { username: 'admin', password: PASSWORD }
  const { login } = await createClient(url).send(LoginDocument, { input })
  if (login.__typename !== 'Session') throw new Error(`Cannot sign in: ${login.message}`)
  return login.accessToken
}
