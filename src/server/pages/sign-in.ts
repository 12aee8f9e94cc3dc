import { definePage, hashSource, type Page } from './page.ts'
import { SESSION_SCRIPT } from './session-script.ts'

const STYLE = `
  :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
  body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: light-dark(#f3f4f8, #14161c); }
  main { box-sizing: border-box; width: min(24rem, 100vw); padding: 2rem; border-radius: 12px;
    background: light-dark(#fff, #1e212a); box-shadow: 0 4px 24px #0002; }
  h1 { margin: 0 0 .25rem; font-size: 1.4rem; }
  p { margin: 0 0 1.5rem; color: light-dark(#555, #aab); }
  form, label { display: grid; gap: .35rem; }
  form { gap: 1rem; }
  input { font: inherit; padding: .5rem .7rem; border: 1px solid light-dark(#bbc, #445); border-radius: 7px; }
  button { font: inherit; padding: .55rem; border: 0; border-radius: 7px; background: #2350d8; color: #fff; cursor: pointer; }
  button:disabled { opacity: .6; }
  output:empty { display: none; }
  output { color: light-dark(#b3261e, #ff8a80); }
`

const HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in to Trainyard</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Trainyard</h1>
<p>Sign in to explore the API.</p>
<noscript>This page needs JavaScript.</noscript>
<form id="sign-in"></form>
</main>
<script>${SESSION_SCRIPT}
showSignIn(document.getElementById('sign-in'), () => location.reload())
</script>
</body>
</html>
`

/** The page for a browser whose visitor is not signed in: it asks for a password and loads itself again. */
export function signInPage(): Page {
  return definePage(HTML, { 'style-src': hashSource(STYLE), 'img-src': 'data:' })
}
