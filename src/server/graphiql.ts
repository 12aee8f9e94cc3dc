import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import type { GraphiQLOptions } from 'graphql-yoga'

/** What stands in GraphiQL's options until the page fills in the credentials of its visitor. */
const CREDENTIALS = '__trainyard_credentials__'

const WELCOME = `# Trainyard. Sign in at the top right, then run an operation with Ctrl-Enter.
#
# A token goes along with every request and with the WebSocket of subscriptions.

query Projects {
  projects(first: 10) {
    totalCount
    edges {
      node {
        id
        name
        status
        runs(first: 5) {
          edges {
            node {
              id
              name
              status
              progress
              metrics {
                key
                value
                step
              }
            }
          }
        }
      }
    }
  }
}

# Every active run, now and whenever it changes
subscription Runs {
  runUpdated {
    id
    name
    status
    progress
    step
    totalSteps
  }
}
`

/** A sign-in over GraphiQL: it keeps the token in the tab, and offers it to requests and sockets. */
const SIGN_IN = `
<style>
  #trainyard { position: fixed; top: 6px; right: 60px; z-index: 1000; display: flex; gap: 6px; align-items: center;
    font: 13px system-ui, sans-serif; background: #fffffff2; color: #222; border: 1px solid #ccd; border-radius: 8px; padding: 5px 8px; }
  #trainyard input { width: 8em; padding: 3px 6px; border: 1px solid #bbc; border-radius: 5px; }
  #trainyard button { padding: 3px 9px; border: 0; border-radius: 5px; background: #2350d8; color: #fff; cursor: pointer; }
  #trainyard output { color: #b3261e; max-width: 22em; }
</style>
<form id="trainyard" autocomplete="on"></form>
<script>
  const stored = JSON.parse(sessionStorage.getItem('trainyard.session') || 'null')
  const session = stored && new Date(stored.expiresAt) > new Date() ? stored : null
  function trainyardCredentials() {
    return session ? { Authorization: 'Bearer ' + session.accessToken } : {}
  }
  const form = document.getElementById('trainyard')
  if (session) {
    form.innerHTML = '<span></span><button>Sign out</button>'
    form.querySelector('span').textContent = 'Signed in as ' + session.user.username
    form.onsubmit = (event) => {
      event.preventDefault()
      sessionStorage.removeItem('trainyard.session')
      location.reload()
    }
  } else {
    form.innerHTML =
      '<output></output><input name="username" value="admin" aria-label="Username" autocomplete="username">' +
      '<input name="password" type="password" placeholder="password" aria-label="Password" autocomplete="current-password">' +
      '<button>Sign in</button>'
    form.onsubmit = async (event) => {
      event.preventDefault()
      const input = { username: form.username.value, password: form.password.value }
      const query = 'mutation ($input: LoginInput!) { login(input: $input) { ... on Session { accessToken expiresAt user { username } } ... on Error { message } } }'
      const response = await fetch(location.pathname, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ query, variables: { input } }),
      })
      const { data, errors } = await response.json()
      if (data && data.login.accessToken) {
        sessionStorage.setItem('trainyard.session', JSON.stringify(data.login))
        location.reload()
      } else form.querySelector('output').textContent = data ? data.login.message : errors[0].message
    }
  }
</script>
`

let page: string | null = null

/** The page that GraphiQL lives on; the same for everyone, so it is made once. */
export function renderGraphiql(): string {
  // The renderer writes its options as JSON into a script, and GraphiQL takes connectionParams among them.
  const options: GraphiQLOptions & { connectionParams: Record<string, string> } = {
    title: 'Trainyard GraphiQL',
    defaultQuery: WELCOME,
    subscriptionsProtocol: 'WS',
    additionalHeaders: { [CREDENTIALS]: '' },
    connectionParams: { [CREDENTIALS]: '' },
  }
  page ??= renderGraphiQL(options)
    .replaceAll(JSON.stringify({ [CREDENTIALS]: '' }), () => 'trainyardCredentials()')
    .replace('<div id="root"></div>', () => `<div id="root"></div>${SIGN_IN}`)
  return page
}
