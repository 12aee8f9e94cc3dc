import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { AgentError } from '../../src/agent/errors.ts'
import { readOptions } from '../../src/agent/options.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

const SERVER = ['--server', 'https://trainyard.example.org']
const TOKEN = { TRAINYARD_AGENT_TOKEN: 'secret' }

test('server and token are enough: the node is called as the machine is', async () => {
  expect(await readOptions(SERVER, TOKEN)).toEqual({
    server: 'https://trainyard.example.org',
    token: 'secret',
    dataDir: resolve('agent-data'),
    workingDir: resolve('.'),
    node: {
      name: hostname(),
      labels: [
        { name: 'os', value: process.platform },
        { name: 'arch', value: process.arch },
      ],
    },
  })
})

test('everything can be said of the node', async () => {
  const args = [
    ...SERVER,
    ...['--token', 'mine', '--name', 'edge-1', '--type', 'edge', '--location', 'Room 3', '--max-runs', '4'],
    ...[
      '--label',
      'zone=eu',
      '--label',
      'arch=a=b',
      '--address',
      '10.0.0.7',
      '--data',
      '/x',
      '--working-dir',
      '/y',
    ],
  ]
  expect(await readOptions(args, TOKEN)).toMatchObject({
    token: 'mine',
    dataDir: '/x',
    workingDir: '/y',
    node: {
      name: 'edge-1',
      type: 'EDGE',
      location: 'Room 3',
      address: '10.0.0.7',
      maxRuns: 4,
      labels: [
        { name: 'os', value: process.platform },
        { name: 'zone', value: 'eu' },
        { name: 'arch', value: 'a=b' },
      ],
    },
  })
})

test.each([
  ['https://a.example/', 'https://a.example'],
  ['https://a.example/graphql', 'https://a.example'],
  ['http://10.0.0.1:4000/trainyard/', 'http://10.0.0.1:4000/trainyard'],
])('the server may be given as %s', async (given, server) => {
  expect(await readOptions(['--server', given], TOKEN)).toMatchObject({ server })
})

test('the token may be in a file, which counts more than the environment', async () => {
  const file = join(folder, 'token')
  await writeFile(file, 'from-file\n')
  expect(await readOptions([...SERVER, '--token-file', file], TOKEN)).toMatchObject({ token: 'from-file' })
})

test.each<[string, string[], NodeJS.ProcessEnv, string]>([
  ['no server', [], TOKEN, '--server is missing'],
  ['no address', ['--server', 'trainyard'], TOKEN, 'must be an address'],
  ['another kind of address', ['--server', 'ftp://a.example'], TOKEN, 'must be an address'],
  ['no token', SERVER, {}, 'The token is missing'],
  ['an empty token', SERVER, { TRAINYARD_AGENT_TOKEN: ' ' }, 'The token is missing'],
  ['no file', [...SERVER, '--token-file', '/no/such/file'], TOKEN, 'The token cannot be read'],
  ['a label without a value', [...SERVER, '--label', 'zone'], TOKEN, '--label must be NAME=VALUE'],
  ['an unknown type', [...SERVER, '--type', 'CONTROL'], TOKEN, '--type must be one of'],
  ['no number', [...SERVER, '--max-runs', 'many'], TOKEN, '--max-runs must be a whole number'],
  ['an unknown option', [...SERVER, '--sever', 'x'], TOKEN, "Unknown option '--sever'"],
])('%s is told in one line', async (_what, args, environment, message) => {
  const error = await readOptions(args, environment).catch((reason: unknown) => reason)
  expect(error).toBeInstanceOf(AgentError)
  expect(String(error)).toContain(message)
  expect(String(error)).not.toContain('\n')
})

test('help needs nothing else', async () => {
  expect(await readOptions(['--help'], {})).toBeNull()
})
