import { type JWTPayload, jwtVerify, SignJWT } from 'jose'
import { UnauthenticatedError } from '../../errors.ts'

const ISSUER = 'trainyard'
const ALGORITHM = 'HS256'
/** What a token is for: one that refreshes a session opens nothing else. */
const AUDIENCE = { access: 'trainyard', refresh: 'trainyard refresh' } as const

/** What a token says. */
export interface SessionClaims {
  sessionId: string
  userId: string
  /** Of a refresh token: which one of its session it is. */
  generation: number
}

/** Signs and reads the tokens of sessions: JSON Web Tokens with HMAC-SHA256. @param key at least 32 bytes */
export function createSessionTokens(key: Uint8Array, now: () => Date) {
  return {
    sign(kind: keyof typeof AUDIENCE, claims: SessionClaims, expiresAt: Date): Promise<string> {
      return new SignJWT({ sid: claims.sessionId, ...(kind === 'refresh' && { gen: claims.generation }) })
        .setProtectedHeader({ alg: ALGORITHM })
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE[kind])
        .setSubject(claims.userId)
        .setIssuedAt(toSeconds(now()))
        .setExpirationTime(toSeconds(expiresAt))
        .sign(key)
    },

    /** @throws UnauthenticatedError for anything that was not signed here, for this, or that has expired */
    async read(kind: keyof typeof AUDIENCE, token: string): Promise<SessionClaims & { expiresAt: Date }> {
      const { payload } = await jwtVerify<JWTPayload & { sid?: unknown; gen?: unknown }>(token, key, {
        issuer: ISSUER,
        audience: AUDIENCE[kind],
        algorithms: [ALGORITHM],
        requiredClaims: ['sub', 'exp', 'sid'],
        currentDate: now(),
      }).catch(() => {
        throw new UnauthenticatedError('The session is not valid or has expired: sign in again.')
      })
      return {
        sessionId: String(payload.sid),
        userId: payload.sub ?? '',
        generation: Number(payload.gen ?? 0),
        expiresAt: new Date((payload.exp ?? 0) * 1000),
      }
    },
  }
}

function toSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
