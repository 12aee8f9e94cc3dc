import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, in memory, that a test can fill. */
export interface SmallDisk {
  /** Where it is mounted. */
  path: string
  /** Takes all the room there is, but for what is to be left, in bytes. */
  fill(left?: number): void
  /** Takes the room there is for a file: when the disk is full, that which is left in its last block. */
  fillUp(file: string): void
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
    fill(left = 0) {
      writeUntilFull(ballast, [1024 * 1024, statfsSync(path).bsize])
      if (left > 0) truncateSync(ballast, statSync(ballast).size - left)
    },
    fillUp: (file) => writeUntilFull(file, [1]),
    free: () => rmSync(ballast, { force: true }),
    unmount() {
      execFileSync('umount', [path])
      rmdirSync(path)
    },
  }
}

function writeUntilFull(path: string, sizes: number[]): void {
  const file = openSync(path, 'a')
  for (const size of sizes) {
    try {
      for (const bytes = Buffer.alloc(size); ; ) writeSync(file, bytes)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
    }
  }
  closeSync(file)
}
