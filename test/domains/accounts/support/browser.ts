/** What a browser does: it keeps the cookie that it is given, and sends it along. */
export interface Browser {
  /** The answer to an operation. */
  ask(query: string, variables?: object, token?: string): Promise<Answer>
  /** The cookie that it keeps, as it sends it; null for none. */
  cookie(): string | null
}

/** What a server answered. */
export interface Answer {
  data?: Record<string, Record<string, unknown> & { accessToken: string }> | null
  errors?: { message: string; extensions: Record<string, unknown> }[]
}

/** A browser that has never been at the server. */
export function createBrowser(server: { url: string }): Browser {
  let cookie: string | null = null
  return {
    cookie: () => cookie,
    async ask(query, variables, token) {
      const response = await fetch(`${server.url}/graphql`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...(cookie !== null && { Cookie: cookie }),
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query, variables }),
      })
      for (const line of response.headers.getSetCookie()) {
        const [pair = ''] = line.split(';', 1)
        cookie = /1970/.test(line) ? null : pair
      }
      return response.json()
    },
  }
}
