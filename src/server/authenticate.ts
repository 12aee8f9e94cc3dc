import type { Principal } from '../domains/accounts/principal.ts'
import type { AccountService } from '../domains/accounts/service.ts'

/**
 * Who a request or a socket speaks for: null when it says nothing.
 *
 * @param header the value of an Authorization header, or what stands for it in connectionParams
 * @throws UnauthenticatedError when what it says does not count
 */
export async function authenticate(accounts: AccountService, header: unknown): Promise<Principal | null> {
  if (typeof header !== 'string' || header.trim() === '') return null
  const token = /^Bearer\s+(\S+)$/i.exec(header.trim())?.[1] ?? header.trim()
  return accounts.authenticate(token)
}

/** The credentials in connectionParams: `Authorization`, in either case, or a bare `accessToken` or `token`. */
export function credentialsOf(connectionParams: unknown): unknown {
  if (typeof connectionParams !== 'object' || connectionParams === null) return null
  const params = new Map(Object.entries(connectionParams))
  const headers: unknown = params.get('headers')
  return (
    params.get('Authorization') ??
    params.get('authorization') ??
    params.get('accessToken') ??
    params.get('token') ??
    (headers === undefined ? null : credentialsOf(headers))
  )
}
