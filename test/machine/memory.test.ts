import { execFile } from 'node:child_process'
import { access, constants, mkdir, mkdtemp, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readLimit, withinLimit } from '../../src/machine/memory.ts'
import { until } from '../support/until.ts'

const GiB = 1024 ** 3
let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'trainyard-cgroups-'))
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function given(files: Record<string, string | number>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), `${text}\n`)
  }
}

const limit = () => readLimit(join(root, 'own'), root)

describe('the limit of the control groups', () => {
  test('is the lowest of those that the process is in, without the files that are cached', async () => {
    await given({
      own: '0::/system.slice/trainyard.service',
      'system.slice/trainyard.service/memory.max': 8 * GiB,
      'system.slice/trainyard.service/memory.current': GiB,
      'system.slice/memory.max': 4 * GiB,
      'system.slice/memory.current': 3 * GiB,
      'system.slice/memory.stat': `anon ${GiB}\ninactive_file ${2 * GiB}\nactive_file 5`,
    })
    expect(await limit()).toEqual({ totalBytes: 4 * GiB, availableBytes: 3 * GiB })
  })

  test('is at the root where a container does not see its own folder', async () => {
    await given({
      own: '0::/../../kubepods/pod1',
      'memory.max': 2 * GiB,
      'memory.current': GiB,
      'memory.stat': 'inactive_file 0',
    })
    expect(await limit()).toEqual({ totalBytes: 2 * GiB, availableBytes: GiB })
  })

  test('is understood in the first version too', async () => {
    await given({
      own: '9:name=systemd:/\n4:cpu,memory:/docker/abc\n0::/',
      'memory/docker/abc/memory.limit_in_bytes': 2 * GiB,
      'memory/docker/abc/memory.usage_in_bytes': GiB,
      'memory/docker/abc/memory.stat': `inactive_file 1\ntotal_inactive_file ${GiB / 2}`,
      'memory/memory.limit_in_bytes': '9223372036854771712',
      'memory/memory.usage_in_bytes': 10 * GiB,
    })
    expect(await limit()).toEqual({ totalBytes: 2 * GiB, availableBytes: 1.5 * GiB })
  })

  test('is not there where none is set, or nothing can be read', async () => {
    expect(await limit()).toBeNull()
    await given({
      own: '4:memory:/\n0::/a',
      'a/memory.max': 'max',
      'memory/memory.limit_in_bytes': '9223372036854771712',
    })
    expect(await limit()).toBeNull()
  })

  test('counts when it is lower than what the machine has', () => {
    const machine = { totalBytes: 64 * GiB, availableBytes: GiB }
    expect(withinLimit(machine, null)).toEqual(machine)
    expect(withinLimit(machine, { totalBytes: 128 * GiB, availableBytes: 100 * GiB })).toEqual(machine)
    expect(withinLimit(machine, { totalBytes: 8 * GiB, availableBytes: 4 * GiB })).toEqual({
      totalBytes: 8 * GiB,
      availableBytes: GiB,
    })
  })
})

/** Where a control group may be made for this test; null where it may not. */
const ownRoot = await Promise.any(
  ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].map(async (folder) => {
    const file = folder.endsWith('memory') ? 'memory.limit_in_bytes' : 'cgroup.subtree_control'
    await access(join(folder, file), constants.W_OK)
    const group = join(folder, `trainyard-test-${process.pid}`)
    await mkdir(group)
    const setting = folder.endsWith('memory') ? 'memory.limit_in_bytes' : 'memory.max'
    await writeFile(join(group, setting), String(GiB))
    return group
  }),
).catch(() => null)

test.skipIf(!ownRoot)('a process in a control group sees its limit', async () => {
  if (!ownRoot) return
  const script = `
    import { writeFileSync } from 'node:fs'
    writeFileSync('${ownRoot}/cgroup.procs', String(process.pid))
    const { readMemory } = await import('${join(import.meta.dirname, '../../src/machine/memory.ts')}')
    console.log(JSON.stringify(await readMemory()))`
  try {
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script])
    const memory = JSON.parse(stdout)
    expect(memory.totalBytes).toBe(GiB)
    expect(memory.availableBytes).toBeGreaterThan(GiB / 2)
    expect(memory.availableBytes).toBeLessThan(GiB)
  } finally {
    await until('the group is gone', () =>
      rmdir(ownRoot).then(
        () => true,
        () => false,
      ),
    )
  }
})
