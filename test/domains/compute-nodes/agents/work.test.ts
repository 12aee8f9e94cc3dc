import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../../../src/db/database.ts'
import type { UserPrincipal } from '../../../../src/domains/accounts/principal.ts'
import { createExecutions } from '../../../../src/domains/compute-nodes/agents/executions.ts'
import { createExecutor } from '../../../../src/domains/compute-nodes/agents/executor.ts'
import { createLeases } from '../../../../src/domains/compute-nodes/agents/leases.ts'
import { createAgentRegistration } from '../../../../src/domains/compute-nodes/agents/registration.ts'
import { type AgentWork, createAgentWork } from '../../../../src/domains/compute-nodes/agents/work.ts'
import type { Executor } from '../../../../src/execution/executor.ts'
import { createLocalExecutor } from '../../../../src/execution/local/local-executor.ts'
import { createSignals } from '../../../../src/streams/signals.ts'

let folder: string
let database: Database
let executor: Executor
let work: AgentWork
let registration: ReturnType<typeof createAgentRegistration>
let agent: UserPrincipal
let nodeId: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-agents-'))
  database = await openDatabase(join(folder, 'trainyard.db'))
  await database.transaction((tx) =>
    tx.user.create({
      data: {
        id: 'usr',
        username: 'admin',
        role: 'ADMIN',
        passwordHash: '',
        preferences: {},
        createdAt: new Date(),
      },
    }),
  )
  const signals = createSignals()
  const executions = createExecutions({ database, signals, dataDir: folder })
  executor = createExecutor(createLocalExecutor(), executions)
  const leases = createLeases({
    database,
    signals,
    nodeLeaseSeconds: 30,
    runLeaseSeconds: 600,
    log: pino({ level: 'silent' }),
  })
  registration = createAgentRegistration({ database, signals, leases })
  work = createAgentWork({
    database,
    signals,
    executions,
    leases,
    telemetry: { record: () => undefined, secondsOf: () => 15 },
    inputLink: (executionId, input, { path }) => `/${executionId}/${input}/${path}`,
  })
  agent = await givenAgent('first')
  ;({ id: nodeId } = await registration.register(agent, machine('first')))
})
afterEach(async () => {
  await database.close()
  await rm(folder, { recursive: true })
})

/** Somebody with a token for agents. */
async function givenAgent(name: string, scopes: UserPrincipal['scopes'] = ['AGENT']): Promise<UserPrincipal> {
  const id = `tok-${name}`
  await database.transaction((tx) =>
    tx.apiToken.create({
      data: { id, name, scopes: scopes.join(','), secretHash: name, createdAt: new Date(), userId: 'usr' },
    }),
  )
  return {
    kind: 'user',
    userId: 'usr',
    username: 'admin',
    role: 'ADMIN',
    scopes,
    mustChangePassword: false,
    credential: { kind: 'token', id },
    origin: { address: '10.1.2.3', userAgent: null },
    expiresAt: null,
  }
}

const machine = (name: string) => ({
  name,
  installationId: `data folder of ${name}`,
  agentVersion: '1.0.0',
  hardware: { memoryTotalBytes: 1 },
})

/** A command that was given to a node, and the folders that belong to it here. */
async function givenExecution(node = nodeId, name = 'run') {
  const root = join(folder, 'runs', name)
  const directory = join(root, 'process')
  const output = join(root, 'output')
  for (const path of [directory, output, join(root, 'dataset')]) await mkdir(path, { recursive: true })
  await writeFile(join(root, 'config.yaml'), 'lr: 1\n')
  await writeFile(join(root, 'dataset', 'a.txt'), 'data')
  await executor.launch({
    nodeId: node,
    directory,
    argv: ['train', join(root, 'config.yaml')],
    cwd: null,
    env: { SECRET: 'of the run' },
    marker: { name: 'RUN', value: name },
    carried: { root, inputs: [join(root, 'config.yaml'), join(root, 'dataset')], output },
  })
  const { executions } = await work.heartbeat(agent, {})
  return { id: executions.at(-1)?.executionId ?? '', root, directory, output }
}

const piece = (text: string, offset: number) => ({
  offset,
  bytes: Buffer.from(text).toString('base64'),
  writtenAt: new Date('2026-01-01T00:00:00Z'),
})

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const fileOf = (text: string, path = '') => ({ path, sizeBytes: text.length, sha256: sha256(text) })

/** Uploads text as a piece of a file. */
const upload = (executionId: string, whole: string, from: number, to: number) =>
  work.uploadFile(
    agent,
    { executionId, offset: from, sizeBytes: whole.length, sha256: sha256(whole) },
    Promise.resolve({
      filename: 'chunk',
      async *createReadStream() {
        yield Buffer.from(whole.slice(from, to))
      },
    }),
  )

describe('what a command printed', () => {
  test('arrives once and in order, whatever comes twice or too early', async () => {
    const { id, directory } = await givenExecution()
    const send = (text: string, offset: number) =>
      work.report(agent, { executionId: id, stdout: piece(text, offset) })

    expect(await send('line 1\n', 0)).toMatchObject({ stdoutBytes: 7 })
    expect(await send('line 1\n', 0)).toMatchObject({ stdoutBytes: 7 })
    expect(await send('line 3\n', 14)).toMatchObject({ stdoutBytes: 7 })
    expect(await send('1\nline 2\n', 5)).toMatchObject({ stdoutBytes: 14 })
    await Promise.all([send('line 3\n', 14), send('line 3\n', 14)])

    expect(await readFile(join(directory, 'stdout.log'), 'utf8')).toBe('line 1\nline 2\nline 3\n')
    const { mtime } = await stat(join(directory, 'stdout.log'))
    expect(mtime).toEqual(new Date('2026-01-01T00:00:00Z'))
  })

  test('is refused when it is no base64', async () => {
    const { id } = await givenExecution()
    const stdout = { ...piece('', 0), bytes: 'no base64!' }

    await expect(work.report(agent, { executionId: id, stdout })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    })
  })
})

describe('how an execution goes', () => {
  test('is told until it is over; what is told after that changes nothing', async () => {
    const { id, directory } = await givenExecution()
    expect(await executor.inspect(directory)).toEqual({ state: 'starting' })
    const at = new Date()
    const running = { state: 'running', pid: 7, startedAt: at, supervised: true }
    const exited = {
      state: 'exited',
      exitCode: 0,
      signal: null,
      startedAt: at,
      endedAt: at,
      termination: null,
      cleanup: { killed: false, unfinishedFiles: [] },
    }

    await work.report(agent, { executionId: id, report: running })
    expect(await executor.inspect(directory)).toEqual(running)
    await work.report(agent, { executionId: id, report: exited })
    await work.report(agent, { executionId: id, report: { ...exited, exitCode: 1 } })

    expect(await executor.inspect(directory)).toEqual(exited)
  })

  test('has times that can be, whatever the clock of the machine says', async () => {
    const { id, directory } = await givenExecution()
    const { createdAt } = await database.prisma.execution.findUniqueOrThrow({ where: { id } })
    const cleanup = { killed: false, unfinishedFiles: [] }
    const ended = { state: 'exited', exitCode: 0, signal: null, termination: null, cleanup }
    const [past, future] = [new Date('1970-01-01T00:00:00Z'), new Date('9999-01-01T00:00:00Z')]

    await work.report(agent, {
      executionId: id,
      report: { state: 'running', pid: 7, startedAt: past, supervised: true },
    })
    expect(await executor.inspect(directory)).toMatchObject({ startedAt: createdAt })
    await work.report(agent, { executionId: id, report: { ...ended, startedAt: future, endedAt: past } })

    const report = await executor.inspect(directory)
    if (report.state !== 'exited') throw new Error(report.state)
    expect(report.startedAt.getTime()).toBeLessThanOrEqual(Date.now())
    expect(report.endedAt).toEqual(report.startedAt)
  })

  test('an end that is asked for while the agent is away is there when it comes', async () => {
    const { directory } = await givenExecution()

    await executor.terminate(directory, { graceSeconds: 60 })
    await executor.terminate(directory, { graceSeconds: 5 })
    await executor.terminate(directory, { graceSeconds: 90 })

    const { executions } = await work.heartbeat(agent, {})
    expect(executions).toMatchObject([{ wish: 'END', graceSeconds: expect.closeTo(5, 0) }])
  })

  test('an end that was asked for before the start is known at the start', async () => {
    const directory = join(folder, 'runs', 'early', 'process')
    await mkdir(directory, { recursive: true })
    await executor.terminate(directory, { graceSeconds: 1 })

    await givenExecution(nodeId, 'early')

    expect((await work.heartbeat(agent, {})).executions).toMatchObject([{ wish: 'END' }])
  })

  test('what the server is done with is discarded, and then forgotten', async () => {
    const { id, directory } = await givenExecution()
    await expect(work.release(agent, { executionId: id })).rejects.toMatchObject({ code: 'CONFLICT' })

    await executor.release(directory)
    expect((await work.heartbeat(agent, {})).executions).toMatchObject([{ wish: 'DISCARD' }])
    await work.release(agent, { executionId: id })

    expect((await work.heartbeat(agent, {})).executions).toEqual([])
  })
})

describe('what a command reads', () => {
  test('is told with paths, sizes and checksums', async () => {
    const { id, root } = await givenExecution()

    const { inputs, argv, environment } = await work.assignment(agent, id)

    expect({ argv, environment }).toEqual({
      argv: ['train', join(root, 'config.yaml')],
      environment: { SECRET: 'of the run' },
    })
    expect(inputs).toEqual([
      {
        path: join(root, 'config.yaml'),
        isFolder: false,
        files: [{ ...fileOf('lr: 1\n'), url: `/${id}/0/` }],
      },
      {
        path: join(root, 'dataset'),
        isFolder: true,
        files: [{ ...fileOf('data', 'a.txt'), url: `/${id}/1/a.txt` }],
      },
    ])
  })

  test('leads to no other file', async () => {
    const { id } = await givenExecution()

    await expect(work.openInput(id, 1, '../config.yaml')).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
    expect(await work.openInput(id, 7, '')).toBeNull()
  })
})

describe('a result', () => {
  test('appears whole, once all of its files have arrived, in whatever pieces they came', async () => {
    const { id, output, root } = await givenExecution()
    const files = [
      fileOf('weights of a model', 'model.bin'),
      fileOf('', 'empty'),
      fileOf('{}', 'sub/state.json'),
    ]
    const put = () => work.putResult(agent, { executionId: id, name: 'checkpoint-1', isFolder: true, files })

    expect((await put()).map(({ file }) => file.path)).toEqual(['model.bin', 'sub/state.json'])
    expect(await upload(id, 'weights of a model', 0, 7)).toBe(7)
    expect(await upload(id, 'weights of a model', 11, 18)).toBe(7)
    expect(await upload(id, 'weights of a model', 3, 18)).toBe(18)
    await upload(id, '{}', 0, 2)
    expect(await readdir(output)).toEqual([])
    expect(await put()).toEqual([])

    const found = await readdir(join(output, 'checkpoint-1'), { recursive: true })
    expect(found.sort()).toEqual(['empty', 'model.bin', 'sub', 'sub/state.json'])
    expect(await readFile(join(output, 'checkpoint-1', 'model.bin'), 'utf8')).toBe('weights of a model')
    await executor.release(join(root, 'process'))
    expect(await readdir(root)).not.toContain('arriving')
  })

  test('comes again when its bytes are not what was announced', async () => {
    const { id } = await givenExecution()
    const file = fileOf('right')
    await work.uploadFile(
      agent,
      { executionId: id, offset: 0, sizeBytes: 5, sha256: file.sha256 },
      Promise.resolve({
        filename: 'chunk',
        async *createReadStream() {
          yield Buffer.from('wrong')
        },
      }),
    )
    const put = () =>
      work.putResult(agent, { executionId: id, name: 'model.bin', isFolder: false, files: [file] })

    expect(await put()).toMatchObject([{ arrivedBytes: 0 }])
    await upload(id, 'right', 0, 5)
    expect(await put()).toEqual([])
  })

  test.each(['../outside', '/etc/passwd', 'a/../../b', '.', 'a/', 'a//b', 'a\0b'])(
    'may not be named %j',
    async (name) => {
      const { id } = await givenExecution()

      await expect(
        work.putResult(agent, { executionId: id, name, isFolder: true, files: [] }),
      ).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
      await expect(work.removeResults(agent, { executionId: id, names: [name] })).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
      })
    },
  )

  test.each([
    { what: 'below a file', name: 'file/below', paths: [''] },
    { what: 'under a name that no file can have', name: 'x'.repeat(300), paths: [''] },
    { what: 'with a file that is a folder too', name: 'folder', paths: ['a', 'a/b'] },
  ])('is refused $what, so that its agent does not try for ever', async ({ name, paths }) => {
    const { id } = await givenExecution()
    const put = (as: string, files: string[]) =>
      work.putResult(agent, {
        executionId: id,
        name: as,
        isFolder: files[0] !== '',
        files: files.map((path) => fileOf('', path)),
      })
    expect(await put('file', [''])).toEqual([])

    await expect(put(name, paths)).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  })

  test.each(['../../outside', '/etc/passwd'])('may not have a file at %j', async (path) => {
    const { id } = await givenExecution()
    await upload(id, 'x', 0, 1)

    await expect(
      work.putResult(agent, { executionId: id, name: 'folder', isFolder: true, files: [fileOf('x', path)] }),
    ).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  })
})

describe('a machine', () => {
  test.each([
    { address: 'somebody:secret@10.0.0.1' },
    { address: '10.0.0.1/path?' },
    { address: 'with space' },
    { hardware: { name: 'x'.repeat(300_000) } },
    { labels: [{ name: '__proto__', value: 'of nothing' }] },
  ])('may not say %o of itself', async (said) => {
    await expect(registration.register(agent, { ...machine('first'), ...said })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    })
  })

  test('does not collect labels without end', async () => {
    const labelled = (start: number) => ({
      ...machine('first'),
      labels: Array.from({ length: 50 }, (_, n) => ({ name: `label ${start + n}`, value: 'x' })),
    })
    await registration.register(agent, labelled(0))
    await registration.register(agent, labelled(0))
    await registration.register(agent, labelled(50))

    await expect(registration.register(agent, labelled(100))).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    })
    expect(await database.prisma.computeNodeLabel.count({ where: { nodeId } })).toBe(100)
  })

  test.each([
    { networkRxBytesPerSecond: 1.7e308 },
    { gpus: [{ index: 0, name: 'hot', temperatureCelsius: 1.7e308 }] },
  ])('cannot have measured what no sum and no mean can be made of: %o', async (measured) => {
    const sample = {
      timestamp: new Date(),
      cpuUsage: 1,
      memoryUsage: 1,
      memoryTotalBytes: 1,
      gpus: [],
      ...measured,
    }
    await expect(work.heartbeat(agent, { sample })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })
  })
})

describe('a token', () => {
  test('speaks for one node, from the data folder that used it first', async () => {
    expect(await registration.register(agent, machine('first'))).toMatchObject({ id: nodeId })
    await expect(
      registration.register(agent, { ...machine('first'), installationId: 'another data folder' }),
    ).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })

  test('does not take the name of another node, unless the token of that is gone', async () => {
    const second = await givenAgent('second')
    await expect(registration.register(second, machine('first'))).rejects.toMatchObject({ code: 'CONFLICT' })

    await database.transaction((tx) => tx.apiToken.delete({ where: { id: agent.credential.id } }))

    expect(await registration.register(second, machine('first'))).toMatchObject({ id: nodeId })
  })

  test('does not take the name of the server’s own machine', async () => {
    const second = await givenAgent('second')

    await expect(registration.register(second, machine('server'))).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('reaches nothing of another node', async () => {
    const { id } = await givenExecution()
    const stranger = await givenAgent('stranger')
    await registration.register(stranger, machine('second'))

    expect((await work.heartbeat(stranger, {})).executions).toEqual([])
    for (const attempt of [
      () => work.assignment(stranger, id),
      () => work.report(stranger, { executionId: id, stdout: piece('forged\n', 0) }),
      () => work.putResult(stranger, { executionId: id, name: 'x', isFolder: true, files: [] }),
      () => work.removeResults(stranger, { executionId: id, names: ['x'] }),
      () => work.release(stranger, { executionId: id }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
  })

  test.each<{ what: string; principal: Partial<UserPrincipal> }>([
    { what: 'a sign-in', principal: { credential: { kind: 'session', id: 'ses' } } },
    { what: 'a token of another scope', principal: { scopes: ['ADMIN'] } },
    { what: 'a token of somebody who is no administrator any more', principal: { role: 'MEMBER' } },
    { what: 'a token that is bound to no node', principal: { credential: { kind: 'token', id: 'tok-new' } } },
  ])('$what gets nothing', async ({ principal }) => {
    const { id } = await givenExecution()
    const somebody = { ...agent, ...principal }

    await expect(work.heartbeat(somebody, {})).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(work.watchOrders(somebody)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(work.assignment(somebody, id)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(work.report(somebody, { executionId: id })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  })
})
