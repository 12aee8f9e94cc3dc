import { createServer } from 'node:http'
import { OpenAI } from 'openai'
import { pino } from 'pino'
import type { Scope, UserPrincipal } from '../../../src/domains/accounts/principal.ts'
import { UnauthenticatedError } from '../../../src/errors.ts'
import { createGateway, type GatewayDependencies } from '../../../src/gateway/gateway.ts'
import { closeServer, listen } from '../../../src/server/http.ts'
import { createMemoryDirectory, type MemoryDirectory } from './memory-directory.ts'

/** Each stands for somebody who may do what its name says. */
export const TOKENS = { RUN: 'token-to-run', READ: 'token-to-read' } as const

/** A gateway without the rest of the server. */
export interface TestGateway extends AsyncDisposable {
  url: string
  directory: MemoryDirectory
  /** The official client, which does not try again. */
  client: OpenAI
  /** Sends what the official client would not. */
  post(path: string, body: unknown, options?: { token?: string; signal?: AbortSignal }): Promise<Response>
}

/** Starts a gateway on a free port. */
export async function startGateway(given: Partial<GatewayDependencies> = {}): Promise<TestGateway> {
  const directory = createMemoryDirectory()
  const gateway = createGateway({
    authenticate: async (bearer) => personWith(bearer),
    originOf: () => ({ address: null, userAgent: null }),
    admitPage: () => false,
    countRequest: async () => null,
    limits: { maxBodyBytes: 1024 * 1024, silenceMs: 60_000 },
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
    directory,
    ...given,
  })
  const server = createServer((req, res) => void gateway.answer(req, res))
  const url = `http://127.0.0.1:${await listen(server, '127.0.0.1', 0)}`
  return {
    url,
    directory,
    client: new OpenAI({ baseURL: `${url}/v1`, apiKey: TOKENS.RUN, maxRetries: 0 }),
    post: (path, body, { token = TOKENS.RUN, signal } = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
        ...(signal ? { signal } : {}),
      }),
    [Symbol.asyncDispose]: () => closeServer(server, 0),
  }
}

function personWith(token: string): UserPrincipal {
  const scope = Object.entries(TOKENS).find(([, known]) => known === token)?.[0]
  if (scope === undefined) throw new UnauthenticatedError('The API token is not valid.')
  return {
    kind: 'user',
    userId: 'usr_1',
    username: 'ada',
    role: 'MEMBER',
    scopes: [scope === 'RUN' ? 'RUN' : 'READ'] satisfies Scope[],
    mustChangePassword: false,
    credential: { kind: 'token', id: 'tok_1' },
    origin: { address: null, userAgent: null },
    expiresAt: null,
  }
}
