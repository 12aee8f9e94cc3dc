import { definePage, hashSource, type Page } from './page.ts'

/** What all our pages of one card look like, in the light and in the dark. */
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
form > label { display: block; margin-bottom: 18px; font-weight: 600; }
form > label input { width: 100%; margin-top: 4px; padding: 10px 12px; font: inherit; font-weight: 400; color: inherit; background: transparent; border: 1px solid var(--line); border-radius: 8px; }
form > output { display: block; margin-top: 16px; padding: 10px 14px; color: var(--bad); background: var(--bad-ground); border-radius: 8px; }
form > output:empty { display: none; }
button:disabled { opacity: .6; cursor: default; }
`

/** What stands on a card. */
export interface Card {
  title: string
  /** HTML of ours; nothing that somebody has typed. */
  content: string
  script: string
}

/** A page of one card, which runs its own script and talks to this server alone. It is the same for everybody. */
export function cardPage({ title, content, script }: Card): Page {
  const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} · Trainyard</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
</head>
<body>
<main>
<p class="brand">Trainyard</p>
${content}
<noscript><p>This page needs JavaScript: switch it on, then load the page again.</p></noscript>
</main>
<script>${script}</script>
</body>
</html>
`
  return definePage(html, {
    'style-src': hashSource(STYLE),
    'img-src': 'data:',
    'require-trusted-types-for': "'script'",
  })
}
