import { hkdfSync, randomBytes } from 'node:crypto'
import { readFile, rename, rm, writeFile } from 'node:fs/promises'

const MASTER_BYTES = 32

/** The keys that the server signs with, each derived from one secret file for its own purpose. */
export interface ServerKeys {
  session: Uint8Array
  download: Uint8Array
}

/**
 * Reads the server's secret, making it on the first start, readable by its owner only.
 * Keys are derived with HKDF-SHA256 (RFC 5869), so no key tells anything about another.
 */
export async function loadServerKeys(path: string): Promise<ServerKeys> {
  const master = await readOrCreate(path)
  const derive = (purpose: string) =>
    new Uint8Array(hkdfSync('sha256', master, '', `trainyard ${purpose}`, 32))
  return { session: derive('session'), download: derive('download') }
}

async function readOrCreate(path: string): Promise<Buffer> {
  try {
    const secret = await readFile(path)
    if (secret.length !== MASTER_BYTES)
      throw new Error(`${path} is damaged: it must hold ${MASTER_BYTES} bytes.`)
    return secret
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
  const secret = randomBytes(MASTER_BYTES)
  const draft = `${path}.${process.pid}.tmp`
  try {
    // Renamed only when it is whole: half a secret, as a full disk gives, would be one that is damaged.
    await writeFile(draft, secret, { mode: 0o600, flush: true })
    await rename(draft, path)
  } finally {
    await rm(draft, { force: true })
  }
  return secret
}
