import type { Config } from '../config.ts'
import { recordEvent } from '../domains/audit/record.ts'
import { createKeyStore } from '../secrets/key-store.ts'
import { rotateKeys } from '../secrets/secrets.ts'
import type { Command } from './command.ts'
import { withStoppedServer } from './data-folder.ts'

/** `rotate-keys`: a new key-encryption key, while no server runs. */
export const rotateKeysCommand: Command = {
  usage: 'rotate-keys [--signing]',
  description: [
    'Makes a new key-encryption key and seals every secret with it, while the server is stopped. It may be',
    'killed at any moment: the next start finds the right key. A key that is given as TRAINYARD_SECRET_KEY',
    'is replaced by the one in TRAINYARD_NEW_SECRET_KEY.',
    '--signing also makes new signing keys: everybody is signed out, and download links stop working.',
  ],
  options: { signing: { type: 'boolean' } },
  arguments: [],

  async run({ config, options }) {
    const signing = options.signing === true
    const { keyId, count } = await withStoppedServer(config.dataDir, (database) =>
      rotateKeys({
        database,
        store: createKeyStore(config),
        signing,
        alongside: (tx, newKeyId) =>
          recordEvent(
            tx,
            { kind: 'operator' },
            { action: 'KEYS_ROTATED', details: { keyId: newKeyId, signing } },
          ),
      }),
    )
    return [
      `${count} secrets are sealed with the new key ${keyId}.`,
      ...(signing ? ['The signing keys are new: everybody is signed out, and download links are void.'] : []),
      whatNext(config),
    ]
  },
}

function whatNext({ secretKey, secretKeyFile }: Config): string {
  return secretKey
    ? 'Set TRAINYARD_SECRET_KEY to the value of TRAINYARD_NEW_SECRET_KEY, then start the server.'
    : `Start the server when you like. A backup needs the key of its time: keep the new ${secretKeyFile ?? 'secret.key'} with the next one.`
}
