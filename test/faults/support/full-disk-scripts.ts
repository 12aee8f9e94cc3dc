import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A training that tries again when something does not fit: prints and saves until its file appears. */
export const PATIENT = `
  const fs = require('node:fs')
  const pause = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  function write(file, bytes) {
    for (let at = 0; at < bytes.length; ) {
      try { at += fs.writeSync(file, bytes, at) } catch (error) { if (error.code !== 'ENOSPC') throw error; pause(20) }
    }
  }
  for (let n = 1; !fs.existsSync(process.argv[1]); n++) {
    write(1, Buffer.from('line ' + n + '\\n'))
    if (n % 50 === 0) {
      const file = fs.openSync(process.env.TRAINYARD_OUTPUT_DIR + '/checkpoint-' + n + '.pt', 'w')
      write(file, Buffer.alloc(200_000, n))
      fs.closeSync(file)
    }
    pause(5)
  }`

/** A training that gives up when a checkpoint does not fit, and leaves what did fit. */
export const IMPATIENT = `
  const fs = require('node:fs')
  let n = 0
  setInterval(() => {
    console.log('line ' + ++n)
    if (n % 20) return
    try {
      fs.writeFileSync(process.env.TRAINYARD_OUTPUT_DIR + '/model-' + n + '.bin', Buffer.alloc(100_000, n))
    } catch { process.exit(3) }
  }, 5)`

/** What a run has written, as it lies on the disk. */
export function outputOf(dataDir: string, runId: string) {
  const root = join(dataDir, 'runs', runId)
  const text = readFileSync(join(root, 'process/stdout.log'), 'utf8')
  const output = join(root, 'output')
  const files = readdirSync(output)
  // Both scripts write files of a whole number of these.
  const isWhole = (name: string) => {
    const { size } = statSync(join(output, name))
    return size > 0 && size % 100_000 === 0
  }
  return {
    lines: text.split('\n').slice(0, text.endsWith('\n') ? -1 : undefined),
    /** Name and sum of each file. */
    artifacts: files
      .filter(isWhole)
      .map((name) => [
        name,
        createHash('sha256')
          .update(readFileSync(join(output, name)))
          .digest('hex'),
      ])
      .toSorted(),
    /** What did not fit. */
    cut: files.filter((name) => !isWhole(name)),
    pid: Number(JSON.parse(readFileSync(join(root, 'process/process.json'), 'utf8')).identity.pid),
  }
}
