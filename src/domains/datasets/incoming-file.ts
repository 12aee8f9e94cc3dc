import { ValidationError } from '../../errors.ts'
import { humanSize } from '../../storage/human-size.ts'

/** A file on its way in, as graphql-upload-minimal hands it over. */
export interface IncomingFile {
  filename: string
  createReadStream(): AsyncIterable<Uint8Array>
}

/** The bytes of an upload. @throws ValidationError when they end before the file does */
export async function* whole(file: IncomingFile): AsyncIterable<Uint8Array> {
  try {
    yield* file.createReadStream()
  } catch {
    throw ValidationError.at('file', 'The upload ended before the file was whole.')
  }
}

/** A small upload as a whole. @throws ValidationError when it is larger than `maxBytes`, or cut off */
export async function readWhole(file: IncomingFile, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of whole(file)) {
    size += chunk.length
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(maxBytes: number): ValidationError {
  return ValidationError.at(
    'file',
    `The file is larger than ${humanSize(maxBytes)}, the most that is accepted.`,
  )
}
