import { isUtf8 } from 'node:buffer'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { isErrno } from './errno.ts'
import type { TarEntry } from './tar.ts'

/** Something in a folder that an archive cannot hold, and why, for a log line or a remark. */
export interface SkippedEntry {
  path: string
  reason: string
}

/** What lies below a folder, in the order in which it is archived. */
export interface TreeListing {
  entries: TarEntry[]
  skipped: SkippedEntry[]
}

/**
 * Lists everything below `root`, which must be a real path, sorted by path so that a folder comes
 * before what is in it. Symbolic links are never followed: one that leads to something inside the tree
 * is listed as a link, rewritten to be relative; one that leads out of it, or nowhere, is skipped, as
 * are sockets, pipes, devices and names that are not UTF-8.
 *
 * @throws the operating system's error when a folder cannot be read
 */
export async function listTree(root: string): Promise<TreeListing> {
  const entries: TarEntry[] = []
  const skipped: SkippedEntry[] = []
  const pending = ['']

  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const rawName of await readdir(join(root, folder), { encoding: 'buffer' })) {
      const path = folder + rawName.toString()
      if (!isUtf8(rawName)) {
        skipped.push({ path, reason: 'its name is not valid UTF-8' })
        continue
      }
      const stats = await lstat(join(root, path)).catch((error: unknown) => {
        if (isErrno(error, 'ENOENT')) return null // gone since the folder was read
        throw error
      })
      if (stats?.isDirectory()) {
        pending.push(`${path}/`)
        entries.push({ kind: 'folder', path: `${path}/`, sizeBytes: 0, linkTarget: '' })
      } else if (stats?.isFile()) {
        entries.push({ kind: 'file', path, sizeBytes: stats.size, linkTarget: '' })
      } else if (stats?.isSymbolicLink()) {
        const linkTarget = await targetInside(root, path)
        if (linkTarget === null)
          skipped.push({ path, reason: 'it is a link to something outside the folder' })
        else entries.push({ kind: 'link', path, sizeBytes: 0, linkTarget })
      } else if (stats) {
        skipped.push({ path, reason: 'it is neither a file nor a folder' })
      }
    }
  }
  const byPath = (a: { path: string }, b: { path: string }) => (a.path < b.path ? -1 : 1)
  return { entries: entries.sort(byPath), skipped: skipped.sort(byPath) }
}

/** Where a link really leads, relative to its own folder, or null when that is not inside `root`. */
async function targetInside(root: string, path: string): Promise<string | null> {
  const link = join(root, path)
  try {
    const target = await realpath(link)
    if (target !== root && !target.startsWith(root + sep)) return null
    return relative(dirname(link), target).replaceAll(sep, '/') || '.'
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EACCES')) return null
    throw error
  }
}
