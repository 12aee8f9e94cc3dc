import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { CatalogCreateApiTokenDocument } from '../../src/generated/operations.ts'
import { type ApiClient, createClient } from '../support/client.ts'
import { beginUpload } from '../support/raw-upload.ts'
import { seed } from '../support/seed.ts'

const MAIN = join(import.meta.dirname, '../../src/main.ts')
const PASSWORD = 'correct-horse'
const CHANGE_PASSWORD =
  'mutation ($input: ChangePasswordInput!) { changePassword(input: $input) { __typename ... on Error { message } } }'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'trainyard-test-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const running = new Set<ChildProcess>()
afterEach(() => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts the program with these settings and nothing else in its environment. */
function start(settings: Record<string, string>) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    cwd: folder,
    env: { PATH: process.env.PATH, PORT: '0', LOG_LEVEL: 'info', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  running.add(child)
  const over = (async () => {
    const [output, errors, [exitCode]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'exit'),
    ])
    running.delete(child)
    return { exitCode: exitCode as number | null, output, errors }
  })()
  return { child, over }
}

/** Starts a server and waits until it says that it listens. */
async function startServer(settings: Record<string, string>) {
  const { child, over } = start(settings)
  let said = ''
  const listens = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      const url = /listens on (\S+)\/graphql\n[\s\S]*\n/.exec(said)?.[1]
      if (url) resolve(url)
    })
    over.then(({ errors }) => reject(new Error(errors)), reject)
  })
  return { child, over, url: await listens, said: () => said }
}

/** It ended at once with exit code 1 and one line that says why. */
async function expectRefusal(settings: Record<string, string>, reason: RegExp) {
  const { exitCode, output, errors } = await start({
    TRAINYARD_DATA_DIR: join(folder, 'refused'),
    ...settings,
  }).over

  expect(errors).toMatch(reason)
  expect(errors.trimEnd().split('\n')).toHaveLength(1)
  expect(output).toBe('')
  expect(exitCode).toBe(1)
}

test('a setting that is wrong is one line and exit code 1', async () => {
  await expectRefusal(
    { PORT: 'abc', LOG_LEVEL: 'loud' },
    /^Wrong setting: PORT: must be a number; LOG_LEVEL: /,
  )
})

describe('what the server cannot use is one line and exit code 1', () => {
  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const address = other.address()
    const port = typeof address === 'object' ? String(address?.port) : ''
    try {
      await expectRefusal(
        { PORT: port, LOG_LEVEL: 'warn' },
        new RegExp(`127\\.0\\.0\\.1:${port}: another program`),
      )
    } finally {
      other.close()
    }
  })

  test('a data folder below a file', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expectRefusal(
      { TRAINYARD_DATA_DIR: join(folder, 'file', 'data') },
      /The data folder .* cannot be used/,
    )
  })

  test('a database that is none', async () => {
    const dataDir = mkdtempSync(join(folder, 'damaged-'))
    writeFileSync(join(dataDir, 'trainyard.db'), 'this is no database'.repeat(100))

    const { exitCode, output, errors } = await start({ TRAINYARD_DATA_DIR: dataDir }).over

    expect(errors).toMatch(/database/i)
    expect([exitCode, output]).toEqual([1, ''])
  })
})

describe('a server', () => {
  test('makes up a password once, keeps everything in its folder, and refuses a second server there', async () => {
    const dataDir = join(folder, 'first')
    const first = await startServer({ TRAINYARD_DATA_DIR: dataDir })
    const password = /password (\S+) \(it is not shown again\)/.exec(first.said())?.[1] ?? ''
    const api = createClient(first.url)
    await api.signIn('admin', password)
    const input = { currentPassword: password, newPassword: PASSWORD }
    await api.send(CHANGE_PASSWORD, { input }) // the terminal has seen the other one
    await seed(api).project({ name: 'kept' })

    await expectRefusal({ TRAINYARD_DATA_DIR: dataDir }, /Another Trainyard server is using the data folder/)
    expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
    expect(statSync(join(dataDir, 'secret.key')).mode & 0o077).toBe(0)
    expect(readdirSync(folder).filter((name) => name === 'data')).toEqual([])

    first.child.kill('SIGTERM')
    const { exitCode, errors } = await first.over
    expect(exitCode).toBe(0)
    expect(errors).not.toContain(password)

    const second = await startServer({ TRAINYARD_DATA_DIR: dataDir })
    expect(second.said()).not.toContain('not shown again')
    api.moveTo(second.url)
    expect(await api.send('{ project(ref: "kept") { name } }')).toEqual({ project: { name: 'kept' } })
    await api.close()
    second.child.kill('SIGINT')
    expect((await second.over).exitCode).toBe(0)
  })

  test('that is told to stop ends with code 0 soon, though somebody watches and somebody uploads', async () => {
    const { child, over, url } = await startServer({
      TRAINYARD_DATA_DIR: join(folder, 'watched'),
      TRAINYARD_ADMIN_PASSWORD: PASSWORD,
    })
    const api = createClient(url)
    await api.signIn('admin', PASSWORD)
    const given = seed(api)
    const project = await given.project()
    await given.dataset('target', {})
    const watching = api
      .watch('subscription ($project: String) { runUpdated(project: $project) { id } }', { project })
      .next()
    watching.catch(() => {}) // looked at below
    const uploading = await beginUpload(url, await tokenFrom(api), { dataset: 'target' })
    await uploading.send('first half\n')

    const before = performance.now()
    child.kill('SIGTERM')
    const { exitCode } = await over

    expect(exitCode).toBe(0)
    expect(performance.now() - before).toBeLessThan(10_000)
    await expect(watching).rejects.toBeDefined()
    uploading.cut()
  })
})

async function tokenFrom(api: ApiClient): Promise<string> {
  const { createApiToken } = await api.send(CatalogCreateApiTokenDocument, { input: { name: 'raw' } })
  return createApiToken.__typename === 'ApiToken' ? (createApiToken.token ?? '') : ''
}
