import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The oldest Node.js that can be used where the one that comes with the package is not installed. */
const OLDEST = 24

/**
 * Starts a program of the package under the Node.js that comes with it, whatever runs this. Signals go on to it, and
 * its end is the end of this.
 *
 * @param {string} program its path under src/, without the extension
 */
export function start(program) {
  const built = fileURLToPath(new URL(`../dist/${program}.js`, import.meta.url))
  const source = fileURLToPath(new URL(`../src/${program}.ts`, import.meta.url))
  const child = spawn(
    findNode(),
    ['--disable-warning=ExperimentalWarning', existsSync(built) ? built : source, ...process.argv.slice(2)],
    { stdio: 'inherit' },
  )
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Node.js could not be started: ${error.message}`))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === null ? 1 : 128)))
}

function findNode() {
  const pinned = join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node')
  if (existsSync(pinned)) return pinned
  if (Number(process.versions.node.split('.')[0]) >= OLDEST) return process.execPath
  return fail(
    `Node.js ${OLDEST} or newer is needed, and this is ${process.versions.node}: allow the package node to install the one that Trainyard brings (npm install --allow-scripts=node), or use a newer one.`,
  )
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
