import { readFileSync } from 'node:fs'
import { createLocalExecutor } from '../../../src/execution/local/local-executor.ts'

/** A caller to be killed: launches the spec in the file that it is given, says so, and stays. */
const [file = ''] = process.argv.slice(2)
process.stdout.write('launching\n')
await createLocalExecutor().launch(JSON.parse(readFileSync(file, 'utf8')))
process.stdout.write('launched\n')
setInterval(() => {}, 60_000)
