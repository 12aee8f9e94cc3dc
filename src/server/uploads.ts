import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { GraphQLError } from 'graphql'
import { processRequest } from 'graphql-upload-minimal'
import type { GraphQLParams, Plugin } from 'graphql-yoga'
import { MAX_STRANGERS_BODY_BYTES } from './bodies.ts'
import type { Identification } from './identify.ts'
import type { NodeRequest } from './node-request.ts'

/** The most files in one request. */
const MAX_FILES = 10
/** The largest `operations` or `map` field, in bytes. */
const MAX_FIELD_BYTES = 1024 * 1024
/** How long an answer waits for a client that is still sending, in ms. */
const DISCARD_MS = 10_000
/** How long such a client may go on after the answer, in ms; many read it only when all is sent. */
const REST_MS = 600_000
/** How long one without credentials may, who gets the answer at once, in ms. */
const STRANGERS_REST_MS = 10_000

/**
 * Takes multipart requests from the socket as they arrive, so that files are streamed to their resolvers
 * instead of being held in memory. How large a file may be is for the service that reads it to say: the
 * parser would cut it there, one byte too early and without a word.
 */
export function useStreamedUploads(identityOf: Identification['identityOf']): Plugin<object, NodeRequest> {
  shieldSharedMethods()
  return {
    onRequest({ request, setRequest, fetchAPI }) {
      if (!isMultipart(request)) return
      // Yoga limits the bodies that it reads, by their announced length; this one it must not touch.
      const headers = new fetchAPI.Headers(request.headers)
      headers.delete('content-length')
      const { url, method, signal } = request
      setRequest(new fetchAPI.Request(url, { method, signal, headers }))
    },
    onRequestParse({ request, serverContext: { req, res }, setRequestParser }) {
      if (!isMultipart(request)) return
      setRequestParser(async () => {
        surviveParserErrors(req)
        try {
          const { principal } = await identityOf(req)
          const maxFieldSize = principal ? MAX_FIELD_BYTES : MAX_STRANGERS_BODY_BYTES
          return toParams(await processRequest(req, res, { maxFieldSize, maxFiles: MAX_FILES }))
        } catch (error) {
          const message = error instanceof Error ? error.message : 'The multipart request cannot be read.'
          throw badRequest(message)
        }
      })
    },
    async onResponse({ request, serverContext: { req } }) {
      if (!isMultipart(request)) return
      const { principal } = await identityOf(req)
      cutAfter(req, principal ? REST_MS : STRANGERS_REST_MS)
      await discardRest(req)
    },
  }
}

function isMultipart(request: Request): boolean {
  return request.headers.get('content-type')?.startsWith('multipart/form-data') ?? false
}

/** Cuts a client that has not sent all of its request in time: byte by byte, it would hold its connection for ever. */
function cutAfter(req: IncomingMessage, ms: number): void {
  if (req.readableEnded || req.destroyed) return
  const timer = setTimeout(() => req.socket.destroy(), ms).unref()
  const stop = () => clearTimeout(timer)
  req.once('end', stop).once('close', stop)
}

/**
 * Lets the client send what nobody reads any more, such as the rest of a file that was refused: many read
 * the answer only then. One that closes its connection after the answer must get it last, because closing
 * with unread bytes makes the operating system drop the answer.
 */
async function discardRest(req: IncomingMessage): Promise<void> {
  if (req.readableEnded || req.destroyed) return
  req.unpipe()
  req.resume()
  if (req.headers.connection?.toLowerCase() !== 'close') return
  await Promise.race([
    once(req, 'close').catch(() => undefined),
    sleep(DISCARD_MS, undefined, { ref: false }),
  ])
}

function toParams(parsed: unknown): GraphQLParams | GraphQLParams[] {
  if (Array.isArray(parsed)) return parsed.map(toOneParams)
  return toOneParams(parsed)
}

function toOneParams(parsed: unknown): GraphQLParams {
  if (typeof parsed === 'object' && parsed !== null) return parsed
  throw badRequest('The operations field must be a JSON object.')
}

function badRequest(message: string): GraphQLError {
  return new GraphQLError(message, { extensions: { code: 'BAD_REQUEST', http: { status: 400 } } })
}

/**
 * The library listens for the first error of its parser only, and the parser has a second one when it is
 * destroyed for the first: without another listener, a malformed part would end the server.
 */
function surviveParserErrors(req: IncomingMessage) {
  const pipe = req.pipe.bind(req)
  req.pipe = (parser, options) =>
    pipe(
      parser.on('error', () => {}),
      options,
    )
}

/**
 * The library follows the paths in a request's `map` through inherited properties too, so that
 * "variables.toString.call" would lead to a method that all objects share and overwrite a part of it.
 * Frozen, those methods stay as they are.
 */
function shieldSharedMethods() {
  for (const { prototype } of [Object, Function, Array, String, Number, Boolean]) {
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
      if (name !== 'constructor' && typeof value === 'function') Object.freeze(value)
    }
  }
}
