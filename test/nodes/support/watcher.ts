/**
 * A program for a machine of a test: follows the log of a run through all that befalls the network, and says each
 * line that it hears. Asks the server's version whenever it is told to, once, and says what came of that.
 */
import { createInterface } from 'node:readline'
import { createClient } from '../../../src/client/client.ts'
import { RunLogsDocument } from '../../../src/generated/operations.ts'

const [url = '', token = '', runId = ''] = process.argv.slice(2)
const client = createClient(url, {
  answerMs: 1500,
  keepAliveMs: 250,
  reconnect: { firstMs: 100, longestMs: 500 },
})
client.useToken(token)

const say = (what: { heard: string[] } | { asked: string }) =>
  process.stdout.write(`${JSON.stringify(what)}\n`)

createInterface(process.stdin).on('line', async () => {
  try {
    await client.send('{ serverInfo { version } }')
    say({ asked: 'answered' })
  } catch (error) {
    say({ asked: error instanceof Error ? error.name : String(error) })
  }
})

let after: string | null = null
for await (const { runLogs } of client.watch(RunLogsDocument, () => ({ runId, after }))) {
  say({ heard: runLogs.lines.filter(({ source }) => source === 'STDOUT').map(({ message }) => message) })
  after = runLogs.cursor
}
