import { cardPage } from '../card.ts'
import type { Page } from '../page.ts'
import type { AccountForm, FormField } from './forms.ts'
import { scriptFor } from './script.ts'

/** Renders the page of a form. It is the same for everybody, because what is personal about it is in its address. */
export function formPage(form: AccountForm): Page {
  return cardPage({ title: form.title, content: contentOf(form), script: scriptFor(form) })
}

function contentOf({ title, introduction, fields, button, done }: AccountForm): string {
  return `<div id="introduction">
<h1>${title}</h1>
<p>${introduction}</p>
</div>
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
</div>`
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
