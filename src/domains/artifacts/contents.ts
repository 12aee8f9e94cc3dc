import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { describeTree, hashArchive, openArchive } from '../../storage/archive.ts'
import type { DownloadSource } from '../../storage/download.ts'
import { readFileContents } from '../../storage/file-contents.ts'

/** What is known of the bytes of an artifact. */
export interface ArtifactContents {
  isFolder: boolean
  /** Of the file, or of all files in the folder together. */
  sizeBytes: number
  /** Of the file, or of the archive that a download of the folder gives; hex. */
  sha256: string
  /** When it was last written to. */
  modifiedAt: Date
}

/**
 * Reads an artifact once to learn its size and checksum.
 *
 * @throws the operating system's error when it cannot be read
 */
export async function readContents(path: string): Promise<ArtifactContents> {
  const found = await stat(path)
  const modifiedAt = found.mtime
  if (found.isDirectory()) {
    const tree = await describeTree(path, { folder: basename(path) })
    return { isFolder: true, sizeBytes: tree.contentBytes, sha256: await hashArchive(tree), modifiedAt }
  }
  return { isFolder: false, ...(await readFileContents(path)), modifiedAt }
}

/** A file as it is, a folder as one tar archive. */
export async function downloadOf(path: string, sha256: string): Promise<DownloadSource> {
  const { isDirectory, size, mtime } = await stat(path).then((found) => ({
    isDirectory: found.isDirectory(),
    size: found.size,
    mtime: found.mtime,
  }))
  if (!isDirectory) {
    return {
      sizeBytes: size,
      filename: basename(path),
      sha256,
      lastModified: mtime,
      open: (range) => createReadStream(path, range),
    }
  }
  const tree = await describeTree(path, { folder: basename(path) })
  return {
    sizeBytes: tree.archiveBytes,
    filename: `${basename(path)}.tar`,
    sha256,
    lastModified: mtime,
    open: (range) => openArchive(tree, range),
  }
}
