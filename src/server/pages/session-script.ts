const SESSION =
  '{ ... on Session { accessToken expiresAt user { username mustChangePassword } } ... on Error { message } ... on ValidationError { issues { message } } }'

/** The operations that our own pages send; they must be valid, and trusted where only trusted ones are performed. */
export const PAGE_DOCUMENTS = {
  login: `mutation ($input: LoginInput!) { login(input: $input) ${SESSION} }`,
  refreshSession: `mutation { refreshSession ${SESSION} }`,
  logout: 'mutation { logout }',
  changePassword:
    'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { __typename ... on Error { message } ... on ValidationError { issues { message } } } }',
}

/**
 * What our pages need to sign in and to stay so. The access token is kept in the memory of the tab; what
 * survives a reload is the cookie that no script can read.
 */
export const SESSION_SCRIPT = `
const documents = ${JSON.stringify(PAGE_DOCUMENTS)}

/** Performs one of the documents; gives what its field returned, or throws an Error that a person can read. */
async function perform(name, input, accessToken) {
  const headers = { 'Content-Type': 'application/json', Accept: 'application/json' }
  if (accessToken) headers.Authorization = 'Bearer ' + accessToken
  let answer
  try {
    const response = await fetch(location.pathname, {
      method: 'POST',
      credentials: 'same-origin',
      headers,
      body: JSON.stringify({ query: documents[name], variables: input ? { input } : {} }),
    })
    answer = await response.json()
  } catch {
    throw new Error('The server does not answer.')
  }
  if (answer.errors) throw new Error(answer.errors[0].message)
  const result = answer.data[name]
  if (typeof result === 'object' && typeof result.message === 'string') throw new Error(messageOf(result))
  return result
}

/** What is wrong, without the names that the fields have in the API. */
function messageOf({ message, issues }) {
  return issues ? issues.map((issue) => issue.message).join(' ') : message
}

/** A form with these fields and one button; what \`submit\` throws is shown in it. */
function showForm(form, { fields, button, submit }) {
  form.replaceChildren()
  for (const field of fields) {
    const input = Object.assign(document.createElement('input'), field)
    input.required = true
    const label = document.createElement('label')
    label.append(field.title, input)
    form.append(label)
  }
  const problem = Object.assign(document.createElement('output'), { role: 'alert' })
  const send = Object.assign(document.createElement('button'), { textContent: button })
  form.append(send, problem)
  form.onsubmit = async (event) => {
    event.preventDefault()
    problem.textContent = ''
    send.disabled = true
    try {
      await submit(Object.fromEntries(fields.map(({ name }) => [name, form.elements[name].value])))
    } catch (error) {
      problem.textContent = error.message
    } finally {
      send.disabled = false
    }
  }
  form.querySelector('input')?.focus()
}

/** Asks for a password and, where the one in use is temporary, for a new one; then \`done\` gets the session. */
function showSignIn(form, done) {
  showForm(form, {
    fields: [
      { name: 'username', title: 'Username or email', autocomplete: 'username' },
      { name: 'password', title: 'Password', type: 'password', autocomplete: 'current-password' },
    ],
    button: 'Sign in',
    submit: async ({ username, password }) => {
      const session = await perform('login', { username, password })
      if (session.user.mustChangePassword) showNewPassword(form, session, password, done)
      else done(session)
    },
  })
}

function showNewPassword(form, session, currentPassword, done) {
  const attributes = { type: 'password', autocomplete: 'new-password', minLength: 8 }
  showForm(form, {
    fields: [
      { ...attributes, name: 'newPassword', title: 'New password, in place of the one you were given' },
      { ...attributes, name: 'again', title: 'The same again' },
    ],
    button: 'Change password',
    submit: async ({ newPassword, again }) => {
      if (newPassword !== again) throw new Error('These are two different passwords.')
      await perform('changePassword', { currentPassword, newPassword }, session.accessToken)
      done(session)
    },
  })
}
`
