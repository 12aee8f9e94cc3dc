import type { IncomingMessage } from 'node:http'
import { clientLeft, GatewayError } from './errors.ts'

/** A request to a model. */
export interface ModelRequest {
  /** The name of the model. */
  model: string
  /** The body, byte for byte as it came unless the model server needs another name. */
  body: Buffer
  /** The body that also asks for the usage of a stream; null when nobody has to ask, or the client itself does. */
  bodyWithUsage: Buffer | null
}

/** What the gateway must understand of a body; everything else is between the client and the model. */
interface Given {
  /** Everything that is in it. */
  fields: Record<string, unknown>
  model: string
  isStream: boolean
  /** Undefined where the body has none. */
  streamOptions: Record<string, unknown> | null | undefined
}

/**
 * Reads a request to a model.
 *
 * @param maxBytes how large a body may be
 * @throws GatewayError when it is too large, or is not what OpenAI's API takes
 */
export async function readModelRequest(req: IncomingMessage, maxBytes: number): Promise<ModelRequest> {
  if (req.headers['content-encoding'] !== undefined && req.headers['content-encoding'] !== 'identity') {
    throw new GatewayError(415, 'The body must not be compressed.')
  }
  const body = await readBody(req, maxBytes)
  const given = parse(body)
  return { model: given.model, body, bodyWithUsage: askForUsage(given, body) }
}

async function readBody(req: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const tooLarge = () =>
    new GatewayError(413, `The body is larger than ${maxBytes} bytes.`, { code: 'request_too_large' })
  if (Number(req.headers['content-length']) > maxBytes) throw tooLarge()
  const chunks: Buffer[] = []
  let size = 0
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  req.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= maxBytes) chunks.push(chunk)
    else reject(tooLarge()) // what follows is read and forgotten, so that the client gets its answer
  })
  req.on('end', () => resolve(Buffer.concat(chunks)))
  req.on('error', () => reject(clientLeft()))
  return promise
}

/** Checks no more than it must: it is on the way of every request. */
/** (By hand, because every request passes here: a schema takes several times as long.) */
function parse(body: Buffer): Given {
  const fields = jsonOf(body)
  if (!isObject(fields)) throw new GatewayError(400, 'The body must be a JSON object.')
  const { model, stream = null, stream_options: streamOptions } = fields
  if (typeof model !== 'string' || model === '') throw wrong('model', 'you must provide a model parameter')
  if (stream !== null && typeof stream !== 'boolean') throw wrong('stream', 'stream must be true or false')
  if (streamOptions !== undefined && streamOptions !== null && !isObject(streamOptions)) {
    throw wrong('stream_options', 'stream_options must be an object')
  }
  return { fields, model, isStream: stream === true, streamOptions }
}

function jsonOf(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    throw new GatewayError(400, 'The body is not valid JSON.')
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(param: string, message: string): GatewayError {
  return new GatewayError(400, message, { param })
}

/** The same request for a model server that calls the model by another name. */
export function withModelName(request: ModelRequest, model: string): ModelRequest {
  const renamed = (body: Buffer) => Buffer.from(JSON.stringify({ ...parse(body).fields, model }))
  return {
    model,
    body: renamed(request.body),
    bodyWithUsage: request.bodyWithUsage && renamed(request.bodyWithUsage),
  }
}

/** Streams tell their usage only to those who ask; we always want to know. */
function askForUsage({ fields, isStream, streamOptions }: Given, body: Buffer): Buffer | null {
  if (!isStream || streamOptions?.include_usage === true) return null
  if (streamOptions === undefined) {
    // Put in as text: what is written anew may come out different, such as numbers beyond 2^53.
    const start = body.indexOf('{') + 1
    return Buffer.concat([Buffer.from('{"stream_options":{"include_usage":true},'), body.subarray(start)])
  }
  return Buffer.from(JSON.stringify({ ...fields, stream_options: { ...streamOptions, include_usage: true } }))
}
