import { cardPage } from './card.ts'
import type { Page } from './page.ts'
import { SESSION_SCRIPT } from './session-script.ts'

/** The page for a browser whose visitor is not signed in: it asks for a password and loads itself again. */
export function signInPage(): Page {
  return cardPage({
    title: 'Sign in',
    content: `<h1>Sign in</h1>
<p>Explore the API as yourself.</p>
<form id="sign-in"></form>`,
    script: `${SESSION_SCRIPT}
showSignIn(document.getElementById('sign-in'), () => location.reload())
`,
  })
}
