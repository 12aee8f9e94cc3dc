/** Rotates the keys of a data folder and is killed at a step: `rotate-until.ts DATA_DIR STEP [--signing]`. */
import { join } from 'node:path'
import { openDatabase } from '../../../src/db/database.ts'
import { createKeyStore } from '../../../src/secrets/key-store.ts'
import { rotateKeys } from '../../../src/secrets/secrets.ts'

const [dataDir = '', last, ...options] = process.argv.slice(2)
const database = await openDatabase(join(dataDir, 'trainyard.db'))
await rotateKeys({
  database,
  store: createKeyStore({ secretKey: undefined, newSecretKey: undefined, secretKeyFile: undefined, dataDir }),
  signing: options.includes('--signing'),
  reached(step) {
    if (step === last) process.kill(process.pid, 'SIGKILL')
  },
})
