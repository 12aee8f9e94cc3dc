import type { IncomingMessage, ServerResponse } from 'node:http'

/** Node's side of a request, which files are streamed from. */
export interface NodeRequest {
  req: IncomingMessage
  res: ServerResponse
}
