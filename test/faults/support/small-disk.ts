import { execFileSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, in memory, that a test can fill. */
export interface SmallDisk {
  /** Where it is mounted. */
  path: string
  /** Takes all the room there is. */
  fill(): void
  /** Gives the room back. */
  free(): void
  unmount(): void
}

/** Mounts one; what comes back instead says why that cannot be done here, as for anybody but root. */
export function mountSmallDisk(sizeMiB: number): SmallDisk | string {
  const path = mkdtempSync(join(tmpdir(), 'trainyard-test-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeMiB}m`, 'tmpfs', path], { stdio: 'pipe' })
  } catch (error) {
    rmdirSync(path)
    return `a small file system cannot be mounted here: ${error instanceof Error ? error.message.trim() : error}`
  }
  const ballast = join(path, 'ballast')
  return {
    path,
    fill() {
      const file = openSync(ballast, 'a')
      const { bsize } = statfsSync(path)
      for (const size of [1024 * 1024, bsize]) writeUntilFull(file, Buffer.alloc(size))
      closeSync(file)
    },
    free: () => rmSync(ballast, { force: true }),
    unmount() {
      execFileSync('umount', [path])
      rmdirSync(path)
    },
  }
}

function writeUntilFull(file: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(file, bytes)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  }
}
