import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')
/** The libraries that the figures hang on. */
const LIBRARIES = ['@libsql/client', '@prisma/client', 'graphql', 'graphql-yoga', 'graphql-ws', 'ws']

/** Where and with what something was measured. */
export interface Environment {
  date: string
  machine: string
  /** Version by name, Node.js first. */
  versions: Record<string, string>
}

/** This machine, today. */
export function describeEnvironment(): Environment {
  const memory = Math.round(totalmem() / 1024 ** 3)
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, ${memory} GB`,
    versions: {
      'Node.js': process.versions.node,
      ...Object.fromEntries(LIBRARIES.map((name) => [name, versionOf(name)])),
    },
  }
}

function versionOf(library: string): string {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'node_modules', library, 'package.json'), 'utf8'))
  return String(version)
}
