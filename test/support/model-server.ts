import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { chat, completion, embed } from './model-server/answer.ts'
import { parseOptions } from './model-server/options.ts'
import { Refusal, type RequestBody, readRequest } from './model-server/request.ts'
import { sendGeneration, sendJson } from './model-server/send.ts'

/**
 * A small OpenAI-compatible model server, which tests start in place of a real engine. Its model repeats the prompt.
 * See model-server/options.ts for its arguments, and `metadata` in model-server/request.ts for what a single request
 * may ask of it. Besides the API it has:
 *
 *   GET /health, which is 503 until it is ready     GET /counts, GET /last-request
 *   POST /crash, /unhealthy, /healthy
 */
const options = parseOptions(process.argv.slice(2))
const readyAt = performance.now() + options.readyAfterMs
let isHealthy = !options.neverHealthy

/** What has become of the requests to the model. */
const counts = { begun: 0, finished: 0, aborted: 0 }
let lastRequest: object | null = null

const server = createServer((req, res) => {
  answer(req, res).catch((error: unknown) => {
    if (!(error instanceof Refusal)) throw error
    const { status, message, code } = error
    sendJson(res, status, { error: { message, type: 'invalid_request_error', param: null, code } })
  })
})

server.listen(options.port, options.host, () => {
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : options.port
  say(`Model server of ${options.name} listens on http://${options.host}:${port}`)
})
// Under `vllm serve` a port that is taken ends the engine as well.
server.on('error', (error) => crash(error.message))
if (options.crashAfterMs !== null) setTimeout(() => crash('it was told to'), options.crashAfterMs)
process.on('SIGTERM', () => {
  say(options.ignoreSigterm ? 'SIGTERM is ignored' : 'SIGTERM')
  if (!options.ignoreSigterm) process.exit(0)
})

async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const path = `${req.method} ${req.url}`
  if (path === 'GET /counts') return sendJson(res, 200, counts)
  if (path === 'GET /last-request') return sendJson(res, 200, lastRequest ?? {})
  if (path === 'POST /crash') return crash('it was told to')
  if (path === 'POST /unhealthy' || path === 'POST /healthy') {
    isHealthy = path === 'POST /healthy'
    return sendJson(res, 200, { healthy: isHealthy })
  }
  if (performance.now() < readyAt) throw new Refusal(503, 'The model is loading.')
  if (path === 'GET /health') return sendJson(res, isHealthy ? 200 : 503, { healthy: isHealthy })
  if (path === 'GET /v1/models') return sendJson(res, 200, models())
  if (path === 'POST /v1/chat/completions')
    return use(req, res, (body) => sendGeneration(res, chat, body, options))
  if (path === 'POST /v1/completions')
    return use(req, res, (body) => sendGeneration(res, completion, body, options))
  if (path === 'POST /v1/embeddings')
    return use(req, res, (body) => sendJson(res, 200, embed(body, options.name)))
  throw new Refusal(404, `There is nothing at ${path}.`)
}

/** A request to the model: it is counted, and may order how it is treated. */
async function use(
  req: IncomingMessage,
  res: ServerResponse,
  send: (body: RequestBody) => Promise<void> | void,
): Promise<void> {
  counts.begun++
  res.once('close', () => {
    if (res.writableFinished) counts.finished++
    else counts.aborted++
  })
  const { text, body } = await readRequest(req)
  lastRequest = { url: req.url, headers: req.headers, body: text }
  if (options.refuseStreamOptions && body.stream_options) {
    throw new Refusal(422, 'Unsupported fields in the request: stream_options')
  }
  const { status, plain_error, break_after } = body.metadata
  if (body.model !== options.name) {
    throw new Refusal(404, `The model \`${body.model}\` does not exist.`, 'model_not_found')
  }
  if (status !== undefined) throw new Refusal(status, 'This was ordered.')
  if (plain_error !== undefined) {
    res.writeHead(500, { 'Content-Type': 'text/plain' })
    res.end(plain_error)
  } else if (break_after === 0) res.destroy()
  else await send(body)
}

function models(): object {
  return {
    object: 'list',
    data: [{ id: options.name, object: 'model', created: 0, owned_by: 'model-server' }],
  }
}

function say(line: string) {
  process.stdout.write(`${line}\n`)
}

function crash(why: string): never {
  process.stderr.write(`Model server of ${options.name} ends: ${why}\n`)
  process.exit(1)
}
