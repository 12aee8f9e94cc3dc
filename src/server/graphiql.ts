import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import type { GraphiQLOptions } from 'graphql-yoga'

/** What stands in GraphiQL's options until the page fills in the credentials of its visitor. */
const CREDENTIALS = '__trainyard_credentials__'

const QUERY = `# Trainyard. Sign in at the top right, then run this with Ctrl-Enter.
# The token goes along with every request, and with the WebSocket of subscriptions.

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
`

const SUBSCRIPTION = `# Every active run, now and whenever it changes
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
  #trainyard { position: fixed; top: 22px; right: 215px; z-index: 1000; display: flex; gap: 6px; align-items: center;
    font: 13px system-ui, sans-serif; background: #fffffff2; color: #222; border: 1px solid #ccd; border-radius: 8px; padding: 5px 8px; }
  #trainyard input { width: 8em; padding: 3px 6px; border: 1px solid #bbc; border-radius: 5px; }
  #trainyard button { padding: 3px 9px; border: 0; border-radius: 5px; background: #2350d8; color: #fff; cursor: pointer; }
  #trainyard output { color: #b3261e; max-width: 22em; }
</style>
<form id="trainyard" autocomplete="on"></form>
<script>
  // GraphiQL holds on to this object and reads it at every request.
  const trainyardCredentials = {}
  const form = document.getElementById('trainyard')
  function showSession(session) {
    trainyardCredentials.Authorization = 'Bearer ' + session.accessToken
    form.innerHTML = '<span></span><button>Sign out</button>'
    form.querySelector('span').textContent = 'Signed in as ' + session.user.username
    form.onsubmit = (event) => {
      event.preventDefault()
      sessionStorage.removeItem('trainyard.session')
      showForm()
    }
  }
  function showForm() {
    delete trainyardCredentials.Authorization
    form.innerHTML =
      '<output></output><input name="username" value="admin" aria-label="Username" autocomplete="username">' +
      '<input name="password" type="password" placeholder="password" aria-label="Password" autocomplete="current-password">' +
      '<button>Sign in</button>'
    form.onsubmit = (event) => {
      event.preventDefault()
      void signIn({ username: form.username.value, password: form.password.value })
    }
  }
  async function signIn(input) {
    const query = 'mutation ($input: LoginInput!) { login(input: $input) { ... on Session { accessToken expiresAt user { username } } ... on Error { message } } }'
    const response = await fetch(location.pathname, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ query, variables: { input } }),
    })
    const { data, errors } = await response.json()
    if (data && data.login.accessToken) {
      sessionStorage.setItem('trainyard.session', JSON.stringify(data.login))
      showSession(data.login)
    } else form.querySelector('output').textContent = data ? data.login.message : errors[0].message
  }
  const stored = JSON.parse(sessionStorage.getItem('trainyard.session') || 'null')
  if (stored && new Date(stored.expiresAt) > new Date()) showSession(stored)
  else showForm()
</script>
`

let page: string | null = null

/** The page that GraphiQL lives on; the same for everyone, so it is made once. */
export function renderGraphiql(): string {
  // The renderer writes its options as JSON into a script, and GraphiQL takes connectionParams among them.
  const options: GraphiQLOptions & { connectionParams: Record<string, string> } = {
    title: 'Trainyard GraphiQL',
    defaultTabs: [{ query: QUERY }, { query: SUBSCRIPTION }],
    subscriptionsProtocol: 'WS',
    additionalHeaders: { [CREDENTIALS]: '' },
    connectionParams: { [CREDENTIALS]: '' },
  }
  page ??= renderGraphiQL(options)
    .replaceAll(JSON.stringify({ [CREDENTIALS]: '' }), () => 'trainyardCredentials')
    .replace('<div id="root"></div>', () => `<div id="root"></div>${SIGN_IN}`)
  return page
}
