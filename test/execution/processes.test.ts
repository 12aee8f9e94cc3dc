import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { isAlive, processIdentity } from '../../src/execution/processes/identity.ts'
import { openForWriting } from '../../src/execution/processes/open-files.ts'
import { listProcesses, parseStat } from '../../src/execution/processes/table.ts'
import { createTree, type Tree } from '../../src/execution/processes/tree.ts'
import { until } from '../support/until.ts'

vi.setConfig({ testTimeout: 60_000 })

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

function start(script: string, env: Record<string, string> = {}): ChildProcess & { pid: number } {
  const child = spawn('bash', ['-c', script], { env: { PATH: '/usr/bin:/bin', ...env } })
  children.push(child)
  if (child.pid === undefined) throw new Error('bash did not start')
  return Object.assign(child, { pid: child.pid })
}

describe('an identity', () => {
  test('is the same each time, and its process is alive until it ends', async () => {
    const child = start('read line')
    const identity = processIdentity(child.pid)
    expect(identity).toEqual(processIdentity(child.pid))
    expect(identity && isAlive(identity)).toBe(true)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(identity && isAlive(identity)).toBe(false)
    expect(processIdentity(child.pid)).toBeNull()
  })

  test('of a later process with the same id, or of an earlier boot, is another one', () => {
    const identity = processIdentity(process.pid)
    expect(identity && isAlive({ ...identity, startTime: '1' })).toBe(false)
    expect(identity && isAlive({ ...identity, bootId: 'an earlier one' })).toBe(false)
  })

  test('of a zombie is known, but not alive', async () => {
    // sleep, which takes the place of bash, does not ask for the status of its child.
    const parent = start('bash -c "read line" < <(sleep 0.2) & echo $!; exec sleep 1000')
    const [line] = await once(parent.stdout ?? parent, 'data')
    const identity = processIdentity(Number(line))
    expect(identity).not.toBeNull()
    await until('it has ended', () => identity && !isAlive(identity))
    expect(processIdentity(Number(line))).toEqual(identity)
  })

  test('is read correctly whatever the program is called', () => {
    const rest = Array.from({ length: 30 }, (_, index) => index + 4).join(' ')
    expect(parseStat(`42 (a) Z (b\n) T ${rest}`)).toEqual({
      pid: 42,
      parent: 4,
      group: 5,
      session: 6,
      startTime: '22',
      ended: false,
      stopped: true,
    })
  })
})

describe('a tree', () => {
  test('holds what has the marker and its descendants, and nothing else', async () => {
    const marker = { name: 'TREE_TEST', value: `value-${process.pid}` }
    const member = start('env -i sleep 1000 & echo $!; wait', { [marker.name]: marker.value })
    const [line] = await once(member.stdout ?? member, 'data')
    // A value that only begins like it belongs to another execution.
    start('read line', { [marker.name]: `${marker.value}0` })
    start('read line', { [`X${marker.name}`]: marker.value })
    const pids = (await createTree({ marker, root: null })()).map((entry) => entry.pid)
    expect(pids.sort()).toEqual([member.pid, Number(line)].sort())
    process.kill(Number(line))
  })

  test('knows which of its process groups have nobody else in them', async () => {
    const marker = { name: 'TREE_TEST', value: `group-${process.pid}` }
    // It stays in the group of this process, unlike its child.
    const shared = start('setsid sleep 1000 & echo $!; wait', { [marker.name]: marker.value })
    const [line] = await once(shared.stdout ?? shared, 'data')
    const own = Number(line)
    const tree = createTree({ marker, root: null })
    try {
      const members = await until('it to have left the session', async () => {
        const found = await tree()
        return found.some(({ pid, group }) => pid === own && group === own) && found
      })
      expect(Object.fromEntries(members.map(({ pid, ownsGroup }) => [pid, ownsGroup]))).toEqual({
        [shared.pid]: false,
        [own]: true,
      })
    } finally {
      process.kill(own, 'SIGKILL')
    }
  })

  test('keeps what belonged to it once, even when no trace of that is left', async () => {
    const root = start('env -i setsid sleep 1000 & echo $!; read line')
    const [line] = await once(root.stdout ?? root, 'data')
    const pid = Number(line)
    try {
      await until('it has left the session', async () =>
        (await listProcesses()).some((entry) => entry.pid === pid && entry.session === pid),
      )
      const seed = { marker: { name: 'NOT', value: 'SET' }, root: processIdentity(root.pid) }
      const tree = createTree(seed)
      const pids = async (ask: Tree) => (await ask()).map((entry) => entry.pid)
      expect((await pids(tree)).sort()).toEqual([root.pid, pid].sort())
      root.kill('SIGKILL')
      await once(root, 'exit')
      expect(await pids(tree)).toEqual([pid])
      expect(await pids(createTree(seed))).toEqual([])
    } finally {
      process.kill(pid, 'SIGKILL')
    }
  })
})

describe('files open for writing', () => {
  test('are the regular ones that are not only read, under their real names', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'trainyard-open-files-')))
    const path = (name: string) => join(folder, name)
    const files = await Promise.all([
      open(path('written'), 'w'),
      open(path('appended'), 'a'),
      open(path('deleted'), 'w'),
    ])
    files.push(await open(path('written'), 'r'), await open('/dev/null', 'w'))
    await rm(path('deleted'))
    try {
      const found = (await openForWriting([process.pid])).filter((file) => file.startsWith(folder))
      expect(found).toEqual([path('appended'), path('written')])
      await files[0]?.close()
      expect(await openForWriting([process.pid])).not.toContain(path('written'))
    } finally {
      for (const file of files.slice(1)) await file.close()
      await rm(folder, { recursive: true })
    }
  })

  test('of a process that has ended are none', async () => {
    const child = start('exit 0')
    await once(child, 'exit')
    expect(await openForWriting([child.pid])).toEqual([])
  })
})
