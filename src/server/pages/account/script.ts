import type { AccountForm } from './forms.ts'

/**
 * What a page does in the browser: it takes the token from the fragment of its address, which browsers send to
 * nobody, and hands it to the mutation together with what was filled in.
 */
export function scriptFor({ mutation, tokenInput }: AccountForm): string {
  return `
const form = document.querySelector('form')
const fieldset = form.querySelector('fieldset')
const problem = document.getElementById('problem')
const token = new URLSearchParams(location.hash.slice(1)).get('token')
if (token) fieldset.disabled = false
else {
  form.hidden = true
  say('This link is not complete. Open it once more from where you got it, or ask for a new one.')
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const input = { ...Object.fromEntries(new FormData(form)), ${JSON.stringify(tokenInput)}: token }
  say('')
  for (const field of form.querySelectorAll('input[name]')) mark(field, '')
  fieldset.disabled = true
  try {
    await submit(input)
  } finally {
    fieldset.disabled = false
    const wrong = form.querySelector('[aria-invalid=true]')
    if (wrong) wrong.focus()
  }
})

async function submit(input) {
  const result = await ask(input)
  if (!result) return
  if (result.__typename === 'Session') return finish()
  const others = (result.issues || []).filter(({ path, message }) => {
    const field = form.querySelector('input[name="' + CSS.escape(path.at(-1) || '') + '"]')
    if (field) mark(field, message)
    return !field
  })
  if (others.length > 0) say(others.map(({ message }) => message).join(' '))
  else if (!result.issues) say(result.message)
}

/** What the mutation answers; nothing when there is no answer, which is said. */
async function ask(input) {
  let response
  try {
    response = await fetch('../graphql', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
      body: JSON.stringify({ query: ${JSON.stringify(mutation)}, variables: { input } }),
    })
    const { data, errors } = await response.json()
    if (data && data.result) return data.result
    say(errors[0].message)
  } catch {
    say(
      response
        ? 'The server does not answer as it should (status ' + response.status + '). Try again in a while.'
        : 'The server cannot be reached. Check the connection, then try again.',
    )
  }
}

function finish() {
  // The link is used up: nobody needs to find it in the history of this browser.
  history.replaceState(null, '', location.pathname)
  form.reset()
  form.hidden = true
  document.getElementById('introduction').hidden = true
  const done = document.getElementById('done')
  done.hidden = false
  done.focus()
}

function say(text) {
  problem.textContent = text
  problem.hidden = text === ''
}

function mark(field, text) {
  const place = document.getElementById(field.name + '-problem')
  place.textContent = text
  place.hidden = text === ''
  field.setAttribute('aria-invalid', String(text !== ''))
}

const reveal = document.getElementById('reveal')
reveal.addEventListener('change', () => {
  form.querySelector('[autocomplete=new-password]').type = reveal.checked ? 'text' : 'password'
})
`
}
