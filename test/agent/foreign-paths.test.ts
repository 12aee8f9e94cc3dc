import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { placeAssignment, placeOf } from '../../src/agent/assignment.ts'
import { createCache } from '../../src/agent/cache.ts'
import type { GivenAssignment } from '../../src/agent/connection.ts'
import { createDownload, MismatchError } from '../../src/agent/download.ts'
import { newId } from '../../src/ids.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'trainyard-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const sha256 = createHash('sha256').update('x').digest('hex')
const file = (path: string) => ({ path, sizeBytes: 1, sha256, url: '/file' })

const given: GivenAssignment = {
  executionId: newId('Execution'),
  argv: ['train'],
  workingDirectory: null,
  environment: {},
  markerName: 'RUN',
  markerValue: 'run',
  root: '/srv/run',
  output: '/srv/run/output',
  inputs: [],
}

test.each(['..', '.', '', 'exe_1/../..', newId('Run')])('%j is not taken for an execution', (id) => {
  expect(() => placeOf(folder, id)).toThrow('is not the id of an execution')
})

test('what a command reads and leaves lies in its folder', () => {
  const place = placeOf(folder, given.executionId)

  const { inputs, output } = placeAssignment(
    {
      ...given,
      inputs: [
        { path: '/srv/run/dataset', isFolder: true, files: [file('deep/a.txt')] },
        { path: '/srv/models/llama', isFolder: true, files: [file('config.json')] },
      ],
    },
    place,
  )

  expect(output).toBe(join(place.root, 'output'))
  expect(inputs.flatMap(({ files }) => files.map((placed) => placed.place))).toEqual([
    join(place.root, 'dataset/deep/a.txt'),
    join(place.inputs, '1/llama/config.json'),
  ])
})

test.each<{ what: string; told: Partial<GivenAssignment> }>([
  { what: 'an output', told: { output: '/etc' } },
  { what: 'an output below its folder', told: { output: '/srv/run/../../etc' } },
  {
    what: 'an input',
    told: { inputs: [{ path: '/srv/run/../../../etc/passwd', isFolder: false, files: [file('')] }] },
  },
  { what: 'an input elsewhere', told: { inputs: [{ path: '/srv/..', isFolder: true, files: [file('a')] }] } },
  {
    what: 'a file',
    told: { inputs: [{ path: '/srv/run/dataset', isFolder: true, files: [file('../../../../a')] }] },
  },
  {
    what: 'a file',
    told: { inputs: [{ path: '/srv/run/dataset', isFolder: true, files: [file('/etc/a')] }] },
  },
])('a server that leads out of it with $what gets nowhere: %j', ({ told }) => {
  expect(() => placeAssignment({ ...given, ...told }, placeOf(folder, given.executionId))).toThrow(
    'for a place that must be below',
  )
})

test('a download that does not end does not fill the disk, and one without a checksum is not begun', async () => {
  const server = createServer((_request, response) => {
    const send = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    }
    response.on('drain', send)
    send()
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')
  const cached = join(folder, 'cache')
  await mkdir(cached)
  const download = createDownload(`http://127.0.0.1:${address.port}`)
  const cache = createCache({ folder: cached, download })
  const signal = AbortSignal.timeout(20_000)
  try {
    const place = join(folder, 'place')
    await expect(cache.provide({ ...file(''), place }, signal)).rejects.toThrow(MismatchError)
    await expect(cache.provide({ ...file(''), sha256: '../../place', place }, signal)).rejects.toThrow(
      'is not a SHA-256',
    )
    expect(await readdir(folder)).toEqual(['cache'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
