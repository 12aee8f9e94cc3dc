import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { print } from 'graphql'
import { UploadDatasetFileDocument } from '../../src/generated/operations.ts'

const BOUNDARY = 'trainyard-test-boundary'

/** An answer over HTTP. */
export interface RawAnswer {
  status: number
  contentType: string
  body: string
}

/** An upload whose bytes a test sends one by one. */
export interface RawUpload {
  /** Sends more of the file; resolves when it is on its way. */
  send(bytes: string | Buffer): Promise<void>
  /** Ends the file and the request. */
  finish(): Promise<RawAnswer>
  /** Leaves in the middle. */
  cut(): void
}

/**
 * Begins to upload a file to a dataset; the request stays open until the test says so.
 *
 * @param options.disposition the file name as the part says it, to send other names than a browser would
 */
export async function beginUpload(
  url: string,
  token: string,
  options: { dataset: string; disposition?: string },
): Promise<RawUpload> {
  const { write, finish, cut } = beginMultipart(url, token)
  const variables = { input: { dataset: options.dataset, file: null } }
  const disposition = options.disposition ?? 'filename="data.txt"'
  await write(
    part('name="operations"', JSON.stringify({ query: print(UploadDatasetFileDocument), variables })) +
      part('name="map"', '{"0":["variables.input.file"]}') +
      part(`name="0"; ${disposition}`, '', 'text/plain').slice(0, -2),
  )
  return { send: write, finish: () => finish(`\r\n--${BOUNDARY}--\r\n`), cut }
}

/** Sends a multipart body as it is; `closed` says whether its last boundary follows. */
export async function sendMultipart(
  url: string,
  token: string,
  parts: string,
  { closed = true } = {},
): Promise<RawAnswer> {
  const { write, finish } = beginMultipart(url, token)
  await write(parts)
  return finish(closed ? `--${BOUNDARY}--\r\n` : '')
}

/** A part of a multipart body, with its boundary. */
export function part(disposition: string, content: string, type?: string): string {
  const contentType = type === undefined ? '' : `Content-Type: ${type}\r\n`
  return `--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\n${contentType}\r\n${content}\r\n`
}

function beginMultipart(url: string, token: string) {
  const outgoing = request(`${url}/graphql`, {
    method: 'POST',
    agent: false,
    headers: {
      Authorization: `Bearer ${token}`,
      'Content-Type': `multipart/form-data; boundary=${BOUNDARY}`,
    },
  })
  const answered = once(outgoing, 'response')
  answered.catch(() => {}) // the test cut the connection, or `finish` reports it
  return {
    write: (bytes: string | Buffer) => new Promise<void>((resolve) => outgoing.write(bytes, () => resolve())),
    async finish(last: string): Promise<RawAnswer> {
      outgoing.end(last)
      const [response]: [IncomingMessage] = (await answered) as [IncomingMessage]
      return {
        status: response.statusCode ?? 0,
        contentType: response.headers['content-type'] ?? '',
        body: await text(response),
      }
    },
    cut: () => outgoing.destroy(),
  }
}
