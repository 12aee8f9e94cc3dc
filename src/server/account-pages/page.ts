import { createHash } from 'node:crypto'
import type { AccountForm, FormField } from './forms.ts'
import { scriptFor } from './script.ts'

const STYLE = `
:root { color-scheme: light dark; --ground: #f3f5f8; --card: #fff; --ink: #1b2330; --quiet: #566274; --line: #8c97a8; --accent: #2350d8; --on-accent: #fff; --bad: #b3261e; --bad-ground: #fdeceb; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #11151c; --card: #1a202b; --ink: #e8ecf3; --quiet: #a3aec0; --line: #6b778a; --accent: #8fadff; --on-accent: #0d1630; --bad: #ffb4ab; --bad-ground: #3a1b1a; }
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px 16px; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 26rem; padding: 32px; background: var(--card); border-radius: 14px; box-shadow: 0 1px 3px #0002, 0 8px 30px #0001; }
[hidden] { display: none !important; }
.brand { margin: 0 0 20px; font-weight: 650; letter-spacing: .01em; color: var(--accent); }
h1 { margin: 0 0 8px; font-size: 1.5rem; line-height: 1.25; }
p { margin: 0 0 20px; }
#introduction p, .hint { color: var(--quiet); }
fieldset { margin: 0; padding: 0; border: 0; min-width: 0; }
.field { margin-bottom: 18px; }
.field label { display: block; margin-bottom: 4px; font-weight: 600; }
.field input { width: 100%; padding: 10px 12px; font: inherit; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px; }
.field input[aria-invalid=true] { border-color: var(--bad); }
.hint, .wrong { margin: 4px 0 0; font-size: .875rem; }
.wrong { color: var(--bad); font-weight: 600; }
.choice { display: flex; gap: 8px; align-items: center; margin-bottom: 22px; }
.choice input { width: 1.1rem; height: 1.1rem; margin: 0; accent-color: var(--accent); }
#problem { padding: 10px 14px; color: var(--bad); background: var(--bad-ground); border-radius: 8px; }
button, .button { display: block; width: 100%; padding: 11px 16px; font: inherit; font-weight: 600; text-align: center; text-decoration: none; color: var(--on-accent); background: var(--accent); border: 0; border-radius: 8px; cursor: pointer; }
fieldset:disabled button { opacity: .6; cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#done:focus { outline: 0; }
`

/** A page as it is served. */
export interface RenderedPage {
  html: string
  /** Lets the browser run and show what is in this page and nothing else, and talk to this server alone. */
  contentSecurityPolicy: string
}

/** Renders a page. It is the same for everybody, because what is personal about it is in its address. */
export function renderPage(form: AccountForm): RenderedPage {
  const script = scriptFor(form)
  const contentSecurityPolicy = [
    "default-src 'none'",
    `script-src '${hashOf(script)}'`,
    `style-src '${hashOf(STYLE)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    // The script sends the form. Without it the browser would write what was filled in into an address.
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
  ].join('; ')
  return { html: htmlOf(form, script), contentSecurityPolicy }
}

function htmlOf({ title, introduction, fields, button, done }: AccountForm, script: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Trainyard</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="brand">Trainyard</p>
<div id="introduction">
<h1>${title}</h1>
<p>${introduction}</p>
</div>
<noscript><p>This page needs JavaScript: switch it on, then load the page again.</p></noscript>
<p id="problem" role="alert" hidden></p>
<form>
<fieldset disabled>
${fields.map(fieldOf).join('\n')}
<div class="choice"><input id="reveal" type="checkbox"><label for="reveal">Show the password</label></div>
<button>${button}</button>
</fieldset>
</form>
<div id="done" role="status" tabindex="-1" hidden>
<h1>${done.title}</h1>
<p>${done.text}</p>
<a class="button" href="../graphql">Open Trainyard</a>
</div>
</main>
<script>${script}</script>
</body>
</html>
`
}

function fieldOf({ name, label, type, autocomplete, hint, minLength }: FormField): string {
  const description = hint === undefined ? `${name}-problem` : `${name}-problem ${name}-hint`
  const plain = type === 'password' || name === 'username' ? ' autocapitalize="none" spellcheck="false"' : ''
  const length = minLength === undefined ? '' : ` minlength="${minLength}"`
  return `<div class="field">
<label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}"${plain}${length} required aria-describedby="${description}">
<p class="wrong" id="${name}-problem" hidden></p>
${hint === undefined ? '' : `<p class="hint" id="${name}-hint">${hint}</p>`}
</div>`
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}
