import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * What is wrong with the database that a server which does not run any more has left. Looks at a copy, because
 * to look is to repair.
 */
export function damageOf(dataDir: string): string[] {
  const copy = mkdtempSync(join(tmpdir(), 'trainyard-test-'))
  try {
    for (const name of ['trainyard.db', 'trainyard.db-wal'])
      copyFileSync(join(dataDir, name), join(copy, name))
    const database = new DatabaseSync(join(copy, 'trainyard.db'))
    try {
      return damage(database)
    } finally {
      database.close()
    }
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/**
 * Everything that is wrong with a data folder, in words; nothing when it is as it should be: the database is
 * sound, files and rows belong together, and nothing half-made lies about.
 */
export function problemsIn(dataDir: string): string[] {
  const database = new DatabaseSync(join(dataDir, 'trainyard.db'))
  try {
    return [
      ...damage(database),
      ...datasetFiles(database, join(dataDir, 'storage')),
      ...runFolders(database, join(dataDir, 'runs')),
    ]
  } finally {
    database.close()
  }
}

function damage(database: DatabaseSync): string[] {
  const rows = [
    ...database.prepare('PRAGMA integrity_check').all(),
    ...database.prepare('PRAGMA foreign_key_check').all(),
  ]
  return rows.map((row) => JSON.stringify(row)).filter((row) => row !== '{"integrity_check":"ok"}')
}

function datasetFiles(database: DatabaseSync, storage: string): string[] {
  const rows = database.prepare('SELECT storageKey, sha256, sizeBytes FROM DatasetFile').all()
  const problems = rows.flatMap((row) => {
    const path = join(storage, String(row.storageKey))
    if (!existsSync(path)) return [`${row.storageKey} is missing`]
    const bytes = readFileSync(path)
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    return sha256 === row.sha256 && bytes.length === row.sizeBytes ? [] : [`${row.storageKey} differs`]
  })
  const known = new Set(rows.map((row) => row.storageKey))
  const orphans = filesBelow(storage).filter((path) => !known.has(path))
  return [...problems, ...orphans.map((path) => `${path} belongs to nothing`)]
}

function runFolders(database: DatabaseSync, runs: string): string[] {
  const known = new Set(
    database
      .prepare('SELECT id FROM Run')
      .all()
      .map((row) => row.id),
  )
  const folders = readdirSync(runs)
  return [
    ...folders.filter((name) => !known.has(name)).map((name) => `the folder of ${name} has no run`),
    ...[...known].filter((id) => !folders.includes(String(id))).map((id) => `${id} has no folder`),
    ...filesBelow(runs)
      .filter((path) => /\.(tmp|partial)$/.test(path))
      .map((path) => `${path} was left behind`),
  ]
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
}
