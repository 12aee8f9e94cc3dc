import { renderGraphiQL } from '@graphql-yoga/render-graphiql'
import type { GraphiQLOptions } from 'graphql-yoga'
import { definePage, type Page } from './page.ts'
import { SESSION_SCRIPT } from './session-script.ts'

/** What stands in GraphiQL's options until the page fills in the credentials of its visitor. */
const CREDENTIALS = '__trainyard_credentials__'

const QUERY = `# Trainyard. Run this with Ctrl-Enter. The token of your session goes along with every
# request, and with the WebSocket of subscriptions.

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

/** A bar over GraphiQL that says who is signed in. */
const SESSION_BAR = `
<style>
  #trainyard { position: fixed; top: 22px; right: 215px; z-index: 1000; display: flex; gap: 6px; align-items: center;
    font: 13px system-ui, sans-serif; background: #fffffff2; color: #222; border: 1px solid #ccd; border-radius: 8px; padding: 5px 8px; }
  #trainyard label { display: flex; gap: 6px; align-items: center; }
  #trainyard input { width: 8em; padding: 3px 6px; border: 1px solid #bbc; border-radius: 5px; background: #fff; color: #222; }
  #trainyard button { padding: 3px 9px; border: 0; border-radius: 5px; background: #2350d8; color: #fff; cursor: pointer; }
  #trainyard output { color: #b3261e; max-width: 22em; }
  #trainyard output:empty { display: none; }
</style>
<form id="trainyard"></form>
<script>${SESSION_SCRIPT}
// GraphiQL holds on to this object and reads it at every request.
const trainyardCredentials = {}
const bar = document.getElementById('trainyard')
/** How long before its end an access token is renewed, and the longest time that a timer can wait, in ms. */
const EARLY_MS = 60000
const LONGEST_MS = 2 ** 31 - 1
let renewal

function enter(session) {
  trainyardCredentials.Authorization = 'Bearer ' + session.accessToken
  const left = new Date(session.expiresAt) - Date.now()
  clearTimeout(renewal)
  renewal = setTimeout(() => void renew(), Math.min(LONGEST_MS, Math.max(left / 2, left - EARLY_MS)))
  const name = document.createElement('span')
  name.textContent = 'Signed in as ' + session.user.username
  bar.replaceChildren(name, Object.assign(document.createElement('button'), { textContent: 'Sign out' }))
  bar.onsubmit = async (event) => {
    event.preventDefault()
    await perform('logout', null, session.accessToken).catch(() => null)
    location.reload()
  }
}

async function renew() {
  try {
    const session = await perform('refreshSession')
    if (session.user.mustChangePassword) throw new Error('There is nothing to see before that.')
    enter(session)
  } catch {
    clearTimeout(renewal)
    delete trainyardCredentials.Authorization
    // GraphiQL asks for the schema when it is loaded, so it is loaded again.
    showSignIn(bar, () => location.reload())
  }
}
const trainyardReady = renew()
</script>
`

let page: Page | null = null

/** GraphiQL; the same for everyone, so it is made once. Who its visitor is, it asks the server itself. */
export function graphiqlPage(): Page {
  page ??= definePage(renderPage(), {
    // The editor puts its styles into the page as it goes, and its workers and pictures come as data.
    'style-src': "'unsafe-inline'",
    'worker-src': 'blob:',
    'img-src': 'data:',
    'font-src': 'data:',
  })
  return page
}

function renderPage(): string {
  // The renderer writes its options as JSON into a script, and GraphiQL takes connectionParams among them.
  const options: GraphiQLOptions & { connectionParams: Record<string, string> } = {
    title: 'Trainyard GraphiQL',
    defaultTabs: [{ query: QUERY }, { query: SUBSCRIPTION }],
    subscriptionsProtocol: 'WS',
    additionalHeaders: { [CREDENTIALS]: '' },
    connectionParams: { [CREDENTIALS]: '' },
  }
  const withCredentials = replace(
    renderGraphiQL(options),
    JSON.stringify({ [CREDENTIALS]: '' }),
    () => 'trainyardCredentials',
  )
  const withBar = replace(withCredentials, '<div id="root"></div>', (root) => root + SESSION_BAR)
  // GraphiQL asks for the schema at once, for which it needs the token.
  return replace(
    withBar,
    /YogaGraphiQL\.renderYogaGraphiQL\(\s*window[\s\S]*?\);(?=\s*<\/script>)/g,
    (render) => `trainyardReady.then(() => { ${render} });`,
  )
}

/** @throws Error when there is nothing to replace, because the package draws its page in another way now */
function replace(html: string, what: RegExp | string, by: (match: string) => string): string {
  const changed = html.replaceAll(what, by)
  if (changed === html) throw new Error(`The page of GraphiQL has no ${what} any more.`)
  return changed
}
